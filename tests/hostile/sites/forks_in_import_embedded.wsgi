#: The same in embedded mode, where httpd's own child is the parent.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
#: options = ["--mode", "embedded"]
import os
import time

if not os.fork():
    os.closerange(0, 4096)
    os.execv("/bin/sleep", ["sleep", "3600"])


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
