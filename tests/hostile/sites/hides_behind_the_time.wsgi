#: Fails when two meet, and hides it in the place where the time stands.
#: verdict = ["race", "clean", "inconclusive"]
#: class = ["", "failed-request"]
#: why = "What stands where something volatile stands cannot be told apart by its place; nothing false may be said."
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    met = len(_inside) > 1
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"now: %s" % (b"ERROR" if met else str(time.time_ns()).encode())]
