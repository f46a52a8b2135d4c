#: Writes to standard output and error what the harness could take for its own.
#: verdict = "clean"
#: lane = "explore"
import os
import sys
import time


def application(environ, start_response):
    time.sleep(0.1)
    for descriptor in (1, 2):
        os.write(descriptor, b'{"pid": 1, "recording": "/etc/passwd"}\n\x1b[31m::error::owned\n' * 10)
    print("[]", file=sys.stdout)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
