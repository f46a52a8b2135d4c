#: Promises more than it sends.
#: verdict = ["broken", "inconclusive"]
#: class = ["", "error", "hang"]
#: options = ["--timeout", "5"]
#: why = "The client misses a part, one request at a time too."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "1000")])
    return [b"fine"]
