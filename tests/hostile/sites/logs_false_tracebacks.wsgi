#: Its log tells of errors that never happened.
#: verdict = "clean"
import sys
import time


def application(environ, start_response):
    time.sleep(0.1)
    sys.stderr.write('Traceback (most recent call last):\n  File "/nowhere.py", line 1, in f\nValueError: never\n')
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
