#: Answers of 50 MB.
#: verdict = ["clean", "inconclusive"]
#: options = ["--users", "3", "--trials", "2"]
#: why = "The same for everybody: no race; larger than the limit it proves nothing."
import time

_PAGE = b"0123456789abcde\n" * (50 * 2**16)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [_PAGE]
