"""Several first requests keep the process working for long: slow, and not a hang."""
import time

_inside = []


def application(environ, start_response):
    _inside.append(True)
    end = time.monotonic() + 0.05
    while time.monotonic() < end or (len(_inside) > 1 and time.monotonic() < end + 9):
        pass
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"at last"]
