#: A body that differs when two meet, and would be obeyed.
#: verdict = "race"
#: class = "failed-request"
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    met = len(_inside) > 1
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    if met:
        return ["\n::error::owned\x1b[31m\u202e##[error]owned".encode()]
    _inside.pop()
    return [b"fine"]
