#: Deletes its own script in the first request.
#: verdict = ["broken", "refused", "inconclusive"]
#: class = ["", "error"]
#: writable = true
#: why = "The next request, alone, finds no script."
import os
import time


def application(environ, start_response):
    time.sleep(0.1)
    try:
        os.unlink(__file__)
    except OSError:
        pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
