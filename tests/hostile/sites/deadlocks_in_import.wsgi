#: Takes a lock twice while it is imported.
#: verdict = "broken"
#: class = "hang"
#: options = ["--timeout", "5"]
import threading

_lock = threading.Lock()
with _lock, _lock:
    pass


def application(environ, start_response):
    start_response("200 OK", [])
    return [b""]
