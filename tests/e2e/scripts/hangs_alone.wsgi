"""Hangs with a single request too: a lock that is taken twice."""
import threading

_lock = threading.Lock()


def application(environ, start_response):
    with _lock, _lock:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"never"]
