#: One header of 100 kB.
#: verdict = ["broken", "inconclusive", "clean"]
#: class = ["", "error"]
#: why = "Servers refuse it or not, each time the same: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("X-Huge", "h" * 100000)])
    return [b"fine"]
