#: The close() of its answer raises, after everything was sent.
#: verdict = ["broken", "clean"]
#: class = ["", "error"]
#: why = "The client has all of it, the log has an error each time: no race."
import time


class Answer(list):
    def close(self):
        raise RuntimeError("too late")


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return Answer([b"fine"])
