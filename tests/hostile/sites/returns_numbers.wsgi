#: Returns numbers.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [1, 2.5, None]
