#: Each forked copy leaves a daemon.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
#: lane = "explore"
import os
import threading
import time

_lock, _done = threading.Lock(), []


def application(environ, start_response):
    with _lock:
        if not _done:
            _done.append(1)
            child = os.fork()
            if not child:
                os.setsid()
                if os.fork():
                    os._exit(0)
                os.closerange(0, 4096)
                os.execv("/bin/sleep", ["sleep", "3600"])
            os.waitpid(child, 0)
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
