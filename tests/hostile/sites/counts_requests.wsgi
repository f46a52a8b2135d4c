#: Each request gets its number.
#: verdict = "clean"
import itertools
import time

_number = itertools.count(1)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"you are number %d today" % next(_number)]
