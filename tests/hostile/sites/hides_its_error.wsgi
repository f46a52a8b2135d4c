#: Fails when two meet, and says 200 with an empty page.
#: verdict = "race"
#: class = "failed-request"
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    met = len(_inside) > 1
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"" if met else b"fine"]
