#: os.open, os.read and os.rename raise for everybody in the process.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import os
import time


def _never(*arguments, **more):
    raise ValueError("no files today")


os.open = os.read = os.rename = os.close = _never


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
