#: The import takes three seconds.
#: verdict = "clean"
#: options = ["--trials", "4"]
import time

time.sleep(3)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
