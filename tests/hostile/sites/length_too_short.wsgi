#: Sends more than it promises: the server cuts it, each time alike.
#: verdict = ["clean", "broken"]
#: class = ["", "error"]
#: why = "The same for everybody: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "2")])
    return [b"fine"]
