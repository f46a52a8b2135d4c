#: Forbids itself to write files.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import resource
import time

resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
