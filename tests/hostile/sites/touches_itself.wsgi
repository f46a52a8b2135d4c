#: Touches its own script in each request, so that the server starts it anew for the next one.
#: verdict = ["clean", "race", "inconclusive"]
#: class = ["", "failed-request"]
#: writable = true
#: why = "Alone each request is answered; in a crowd the server gives up after some reloads: whatever shows is so."
import os
import time


def application(environ, start_response):
    time.sleep(0.1)
    with open(__file__, "a"):
        os.utime(__file__)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
