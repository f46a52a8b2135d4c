#: Puts a link to a file of root's in place of the pipe that it is asked through.
#: verdict = "inconclusive"
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
os.unlink(_RECORDING + ".ask")
os.symlink(os.environ["CANARY"], _RECORDING + ".ask")


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
