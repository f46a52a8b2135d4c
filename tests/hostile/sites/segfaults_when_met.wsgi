#: Reads address 0 when two requests are in the process at once: a race.
#: verdict = "race"
#: class = "failed-request"
import ctypes
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        ctypes.string_at(0)
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
