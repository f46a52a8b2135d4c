#: A header that would begin another one.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("200 OK", [("X-A", "b\r\nX-Harness-Count: 1")])
    return [b""]
