#: Two that meet leave another file mask behind; every answer is right.
#: verdict = "race"
#: class = "wrong-state"
import os
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        os.umask(0o077)
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
