#: Encodes its own chunks, and says so.
#: verdict = ["clean", "broken"]
#: class = ["", "error"]
#: why = "What comes out is odd, and the same each time: no race."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Transfer-Encoding", "chunked")])
    return [b"4\r\nfine\r\n0\r\n\r\n"]
