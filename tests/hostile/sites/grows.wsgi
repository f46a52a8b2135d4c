#: Each answer has one more line than the one before.
#: verdict = "clean"
import itertools
import time

_number = itertools.count(1)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"visited\n" * next(_number)]
