#: Takes a lock twice.
#: verdict = "broken"
#: class = "hang"
#: options = ["--timeout", "5"]
import threading

_lock = threading.Lock()


def application(environ, start_response):
    with _lock, _lock:
        start_response("200 OK", [])
        return [b""]
