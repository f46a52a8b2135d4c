"""A page that no socket buffer takes at once."""


def application(environ, start_response):
    sum(number * number for number in range(800000))  # long enough in the process to be met by others
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x" * 300000]
