#: Directories in directories, a thousand characters in all.
#: verdict = ["clean", "refused"]
#: deep = 10
#: why = "It is hosted as any other, or refused in a sentence: never half of it."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
