#: Says so with numbers of five thousand digits.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import time


def application(environ, start_response):
    time.sleep(0.1)
    headers = [("X-Harness-Process", "%s:%s" % ("9" * 5000, "9" * 5000)), ("X-Harness-Count", "9" * 5000)]
    start_response("200 OK", [("Content-Type", "text/plain")] + headers)
    return [b"fine"]
