#: All clocks of the time module stand still.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import time

_sleep = time.sleep
time.time = time.monotonic = time.perf_counter = lambda: 0.0
time.sleep = lambda seconds: None


def application(environ, start_response):
    _sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
