#: Sends everybody to another machine, which must not be asked.
#: verdict = ["clean", "inconclusive"]
#: why = "The same for everybody: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("302 Found", [("Location", "http://127.0.0.1:1/never")])
    return [b""]
