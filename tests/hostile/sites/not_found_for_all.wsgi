#: 404 for everybody.
#: verdict = ["refused", "inconclusive"]
#: why = "The request is wrong, or nothing of the site was tested: never clean."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"nothing here"]
