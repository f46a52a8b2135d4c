#: The import leaves a sleeping child.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
import os
import time

if not os.fork():
    os.closerange(0, 4096)
    os.execv("/bin/sleep", ["sleep", "3600"])


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
