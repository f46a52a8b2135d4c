#: Takes the probe's recorder away, and fails when two meet.
#: verdict = ["race", "inconclusive"]
#: class = ["", "failed-request"]
#: why = "The answers are wrong only when two meet: never clean."
import gc
import time

for _thing in gc.get_objects():
    if type(_thing).__name__ == "Probe" and hasattr(_thing, "_recorder"):
        _thing._recorder = None
_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        raise RuntimeError("met")
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
