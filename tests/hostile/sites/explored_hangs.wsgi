#: Never answers.
#: verdict = "broken"
#: class = "hang"
#: lane = "explore"
import threading

_lock = threading.Lock()


def application(environ, start_response):
    with _lock, _lock:
        start_response("200 OK", [])
        return [b""]
