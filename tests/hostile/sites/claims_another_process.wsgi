#: Says that another process has answered, for the first time.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import time


def application(environ, start_response):
    time.sleep(0.1)
    headers = [("X-Harness-Process", "1:1"), ("X-Harness-Count", "1")]
    start_response("200 OK", [("Content-Type", "text/plain")] + headers)
    return [b"fine"]
