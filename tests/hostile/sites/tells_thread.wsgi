#: The number of its thread.
#: verdict = ["clean", "broken", "inconclusive"]
#: class = ["", "thread"]
#: why = "An answer that goes with the thread is no matter of the start: no race."
import threading
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"thread %d" % threading.get_ident()]
