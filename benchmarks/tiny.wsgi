"""The least that a cold start can be: what is left is the harness itself."""


def application(environ, start_response):
    sum(number * number for number in range(20000))  # long enough in the process to be met by others
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"tiny"]
