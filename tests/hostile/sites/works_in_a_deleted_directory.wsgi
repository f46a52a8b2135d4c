#: Its working directory is deleted.
#: verdict = ["clean", "inconclusive"]
#: writable = true
#: why = "Its answers are right; what the record of them lacks may be refused."
import os
import time

_PLACE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "gone-%d" % os.getpid())
os.mkdir(_PLACE)
os.chdir(_PLACE)
os.rmdir(_PLACE)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
