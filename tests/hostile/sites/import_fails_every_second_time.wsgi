#: Every second import of a fresh process fails.
#: verdict = "broken"
#: class = ["error", "poisoned"]
#: writable = true
#: why = "The second control, alone, meets it."
import os
import time

_COUNT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "count")
with open(_COUNT, "a") as _stream:
    _stream.write("x")
if os.path.getsize(_COUNT) % 2 == 0:
    raise RuntimeError("every second time")


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
