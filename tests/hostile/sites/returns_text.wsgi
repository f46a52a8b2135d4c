#: Returns text instead of bytes.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["text"]
