#: The time, to the nanosecond.
#: verdict = "clean"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [("it is %d (%s)" % (time.time_ns(), time.ctime())).encode()]
