#: Only when two meet: the story of a race has those words too.
#: verdict = "race"
#: class = "failed-request"
import time

_Evil = type("\x1b[31mEvilError\n::error::owned", (Exception,), {})
_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        raise _Evil("::add-mask::a \u202e \x9b2J \r\n::error::owned")
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
