#: Two that meet leave a mark that fails everybody after them.
#: verdict = "race"
#: class = "failed-request"
import time

_inside, _spoiled = [], []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        _spoiled.append(1)
    _inside.pop()
    if _spoiled:
        raise RuntimeError("spoiled for good")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
