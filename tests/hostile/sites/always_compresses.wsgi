#: Compresses each answer, asked or not; its header has the time.
#: verdict = "clean"
import gzip
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")])
    return [gzip.compress(b"the same page for everybody " * 20, mtime=time.time())]
