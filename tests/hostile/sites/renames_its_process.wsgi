#: A process name that would break who reads /proc.
#: verdict = "clean"
import ctypes
import time

_prctl = ctypes.CDLL(None).prctl
_prctl(15, b") Z 1 (\n\x1b[31m", 0, 0, 0)
_prctl(4, 0, 0, 0, 0)  # and its files in /proc are root's


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
