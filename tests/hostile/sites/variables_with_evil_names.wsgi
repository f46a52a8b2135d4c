#: When two meet, a variable stays in the environment whose name and value would be obeyed.
#: verdict = "race"
#: class = "wrong-state"
import os
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        os.environ["\x1b]0;x\x07\n::error::owned"] = "\u202e##[error]owned"
    start_response("200 OK", [("Content-Type", "text/plain")])
    _inside.pop()
    return [b"fine"]
