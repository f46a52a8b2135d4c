#: Sends a first piece, and never the rest.
#: verdict = "broken"
#: class = "hang"
#: options = ["--timeout", "5"]
import time


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"a"
    time.sleep(3600)
