#: 401 for everybody, with two challenges.
#: verdict = ["refused", "inconclusive"]
#: why = "Nothing of the site was tested: never clean."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("401 Unauthorized", [("WWW-Authenticate", "Basic realm=a"), ("WWW-Authenticate", "Digest realm=b")])
    return [b"who are you"]
