#: Two thousand random bytes, another two thousand each time.
#: verdict = ["clean", "inconclusive"]
#: why = "Different for everybody, one request at a time too: no race."
import os
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return [os.urandom(2000)]
