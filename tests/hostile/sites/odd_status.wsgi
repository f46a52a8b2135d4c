#: A status number that nobody has defined, for everybody.
#: verdict = ["broken", "refused", "clean"]
#: class = ["", "error"]
#: why = "Each request gets the same: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("299 Odd", [("Content-Type", "text/plain")])
    return [b"fine"]
