#: 503 for everybody.
#: verdict = "broken"
#: class = "error"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("503 Service Unavailable", [("Content-Type", "text/plain"), ("Retry-After", "1")])
    return [b"no"]
