#: Raises after its first piece when two requests meet.
#: verdict = "race"
#: class = "failed-request"
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    met = len(_inside) > 1
    start_response("200 OK", [("Content-Type", "text/plain")])
    yield b"fine"
    if met:
        raise RuntimeError("met")
    _inside.pop()
