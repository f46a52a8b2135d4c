#: Opens all the files it may in its import, and closes them: harmless.
#: verdict = "clean"
import resource
import time

resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
_open = []
try:
    while True:
        _open.append(open("/dev/null"))
except OSError:
    del _open[:]


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
