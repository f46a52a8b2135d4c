#: 5 MB without a newline to the log, and nothing wrong.
#: verdict = "clean"
#: options = ["--trials", "3"]
import sys
import time

for _ in range(50):
    sys.stderr.write("x" * 100000)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
