#: Returns a body without a status.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    return [b"body"]
