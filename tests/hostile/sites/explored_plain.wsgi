#: Harmless, in forked copies of one process.
#: verdict = "clean"
#: lane = "explore"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
