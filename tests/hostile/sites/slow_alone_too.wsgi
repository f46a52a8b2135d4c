#: Each request takes a second, alone and in company.
#: verdict = "clean"
#: options = ["--users", "4"]
import time


def application(environ, start_response):
    time.sleep(1.0)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
