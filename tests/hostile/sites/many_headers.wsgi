#: Three thousand headers.
#: verdict = ["broken", "inconclusive", "clean"]
#: class = ["", "error"]
#: why = "Each request gets the same: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")] + [("X-%d" % number, "v") for number in range(3000)])
    return [b"fine"]
