#: Its log tells that descriptors ran out, and they did not; it fails when two meet.
#: verdict = ["race", "inconclusive"]
#: class = ["failed-request", ""]
#: why = "It is a race; who reads of an exhausted machine may refuse to judge, and must not say clean."
import sys
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        sys.stderr.write("OSError: [Errno 24] Too many open files\n")
        raise KeyError("met")
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
