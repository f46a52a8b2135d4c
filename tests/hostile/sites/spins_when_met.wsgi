#: Answers alone; one of two that meet computes for ever.
#: verdict = "inconclusive"
#: options = ["--trials", "2"]
#: why = "Slow is not hang: nothing is proven by a process that still computes."
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    while len(_inside) > 1:
        pass
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
