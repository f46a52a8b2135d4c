#: The same list, filled under a lock: looks racy, and is not.
#: verdict = "clean"
import threading
import time

_lock, _names = threading.Lock(), []


def application(environ, start_response):
    with _lock:
        if not _names:
            for number in range(10):
                _names.append("name %d" % number)
                time.sleep(0.02)
    time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(_names).encode()]
