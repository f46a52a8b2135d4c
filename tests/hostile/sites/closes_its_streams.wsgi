#: Closes standard input, output and error.
#: verdict = "clean"
import os
import sys
import time

for _descriptor in (0, 1, 2):
    try:
        os.close(_descriptor)
    except OSError:
        pass
sys.stderr = sys.stdout = None


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
