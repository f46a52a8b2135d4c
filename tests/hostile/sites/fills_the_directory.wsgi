#: Five thousand files beside its recording.
#: verdict = "clean"
#: options = ["--trials", "3"]
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
for _number in range(5000):
    open("%s-%d" % (_RECORDING, _number), "w").close()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
