#: Raises after its first piece, having promised more.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "100")])
    yield b"half"
    raise RuntimeError("the other half is missing")
