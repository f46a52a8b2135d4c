#: Sets a trace and a profile function in each request, both of which raise.
#: verdict = "clean"
import sys
import time


def _trace(frame, event, argument):
    raise RuntimeError("in the trace")


def application(environ, start_response):
    time.sleep(0.1)
    sys.setprofile(lambda *arguments: None)
    try:
        sys.settrace(_trace)
        (lambda: None)()
    except RuntimeError:
        pass
    sys.settrace(None)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
