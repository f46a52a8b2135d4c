#: Looks for the probe in the collector's list and takes its recorder away.
#: verdict = "inconclusive"
#: why = "Its answers are right, but nothing proves that they came from a cold process."
import gc
import time

for _thing in gc.get_objects():
    if type(_thing).__name__ == "Probe" and hasattr(_thing, "_recorder"):
        _thing._recorder = None


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
