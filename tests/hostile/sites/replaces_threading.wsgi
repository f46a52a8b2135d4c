#: The threading module tells nonsense.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import threading
import time


def _never(*arguments, **more):
    raise SystemExit("no threads today")


threading.enumerate = threading.current_thread = _never


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
