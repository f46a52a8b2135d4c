#: One byte every fifth of a second, for ever.
#: verdict = ["inconclusive", "broken"]
#: class = ["", "hang", "error"]
#: options = ["--timeout", "5"]
#: why = "What was cut proves nothing; one request at a time too it never ends."
import time


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    while True:
        yield b"."
        time.sleep(0.2)
