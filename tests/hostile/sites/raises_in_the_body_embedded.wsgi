#: The same in embedded mode.
#: verdict = "broken"
#: class = "error"
#: options = ["--mode", "embedded"]


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"half"
    raise RuntimeError("the other half is missing")
