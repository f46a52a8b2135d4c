#: Never answers, and does nothing.
#: verdict = "broken"
#: class = "hang"
#: options = ["--timeout", "5"]
import time


def application(environ, start_response):
    time.sleep(3600)
