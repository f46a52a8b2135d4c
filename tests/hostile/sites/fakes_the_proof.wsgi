#: Sends headers of the probe's names with garbage in them.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what cannot be told from the probe's proof may be refused."
import time


def application(environ, start_response):
    time.sleep(0.1)
    headers = [("X-Harness-Process", "garbage"), ("X-Harness-Count", "1e9")]
    start_response("200 OK", [("Content-Type", "text/plain")] + headers)
    return [b"fine"]
