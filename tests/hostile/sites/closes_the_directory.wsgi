#: Forbids everybody to enter the directory of its recording.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]


def application(environ, start_response):
    time.sleep(0.1)
    os.chmod(os.path.dirname(_RECORDING), 0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
