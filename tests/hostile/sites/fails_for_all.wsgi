#: 500 for everybody.
#: verdict = "broken"
#: class = "error"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("500 Internal Server Error", [("Content-Type", "text/plain")])
    return [b"no"]
