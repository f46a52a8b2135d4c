#: 100 MB to the log in each import.
#: verdict = "clean"
#: options = ["--trials", "2", "--parallel", "1"]
import sys
import time

for _ in range(25):
    sys.stderr.write(("x" * 4000 + "\n") * 1000)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
