#: 30 MB into its own directory in each import.
#: verdict = "clean"
#: writable = true
import os
import time

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "fill-%d" % os.getpid()), "wb") as _stream:
    _stream.write(bytes(30 * 2**20))


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
