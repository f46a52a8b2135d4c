#: Raises after its first piece.
#: verdict = "broken"
#: class = "error"
#: says = ["RuntimeError"]


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"half"
    raise RuntimeError("the other half is missing")
