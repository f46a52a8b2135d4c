#: Tries to kill httpd's parent, which belongs to another user.
#: verdict = "clean"
#: root = true
import os
import time


def application(environ, start_response):
    time.sleep(0.1)
    for signal in (15, 9):
        try:
            os.kill(os.getppid(), signal)
        except OSError:
            pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
