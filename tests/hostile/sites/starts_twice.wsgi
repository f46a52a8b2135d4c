#: Calls start_response twice.
#: verdict = ["clean", "broken"]
#: class = ["", "error"]
#: why = "The second call is forbidden; servers answer it one way or the other, each time the same."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    start_response("201 Created", [("Content-Type", "text/html")])
    return [b"fine"]
