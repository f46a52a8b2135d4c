"""lock_order with locks that know who holds them."""
import threading

_one, _other, _ready = threading.RLock(), threading.RLock(), []


def _work():
    return sum(number * number for number in range(1000000))


def application(environ, start_response):
    if not _ready:
        first, second = (_one, _other) if environ["PATH_INFO"] == "/a" else (_other, _one)
        with first:
            _work()
            with second:
                _ready.append(True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
