#: Gives way to everybody else.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; a process that hardly gets a core may meet no second request."
import os
import time

os.nice(19)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
