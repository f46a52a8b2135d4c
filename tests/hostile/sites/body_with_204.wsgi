#: No content, and yet some.
#: verdict = ["clean", "broken"]
#: class = ["", "error"]
#: why = "The same for everybody: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("204 No Content", [])
    return [b"some"]
