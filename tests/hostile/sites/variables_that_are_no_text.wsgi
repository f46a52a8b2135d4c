#: A variable of the environment whose bytes are no text.
#: verdict = "clean"
import os
import time

os.environb[b"BYTES_\xff\xfe"] = b"\x80\x81\xc3("


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
