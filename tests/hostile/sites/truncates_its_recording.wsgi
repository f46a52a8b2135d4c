#: Cuts its recording, so that the next event kills the process.
#: verdict = ["broken", "inconclusive"]
#: class = ["", "error"]
#: why = "One request at a time too nobody is answered: no race, and not clean."
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
os.truncate(_RECORDING, 0)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
