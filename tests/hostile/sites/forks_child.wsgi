#: Each cold process leaves a sleeping child, which has closed what it inherited.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
#: why = "Every answer is right; the child is a finding, and no race."
import os
import threading
import time

_lock, _children = threading.Lock(), []


def application(environ, start_response):
    with _lock:
        if not _children:
            child = os.fork()
            if not child:
                os.closerange(0, 4096)
                os.execv("/bin/sleep", ["sleep", "3600"])
            _children.append(child)
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
