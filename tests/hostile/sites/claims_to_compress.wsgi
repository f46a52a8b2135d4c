#: Says gzip, sends text.
#: verdict = ["clean", "broken", "inconclusive"]
#: class = ["", "error"]
#: why = "The same for everybody: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")])
    return [b"this is no gzip at all"]
