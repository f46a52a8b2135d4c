"""The same two locks, always in the same order."""
import threading

_one, _other, _ready = threading.Lock(), threading.Lock(), []


def _work():
    return sum(number * number for number in range(300000))


def application(environ, start_response):
    if not _ready:
        with _one:
            _work()
            with _other:
                _ready.append(True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
