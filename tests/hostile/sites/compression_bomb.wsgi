#: 100 MB of zeros in 100 kB.
#: verdict = ["clean", "inconclusive"]
#: options = ["--users", "4", "--trials", "3"]
#: why = "The same for everybody: no race."
import gzip
import time

_BOMB = gzip.compress(bytes(100 * 2**20), mtime=0)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Encoding", "gzip")])
    return [_BOMB]
