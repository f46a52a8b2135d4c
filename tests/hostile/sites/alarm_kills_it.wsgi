#: An alarm without a handler ends the process in each request.
#: verdict = "broken"
#: class = "error"
import signal
import time


def application(environ, start_response):
    signal.setitimer(signal.ITIMER_REAL, 0.05)
    time.sleep(0.5)
    start_response("200 OK", [])
    return [b"fine"]
