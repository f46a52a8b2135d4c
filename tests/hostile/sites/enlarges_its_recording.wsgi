#: Makes its recording 10 GB long, with nothing in it.
#: verdict = "inconclusive"
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
os.truncate(_RECORDING, 10 * 2**30)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
