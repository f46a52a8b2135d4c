#: The same in embedded mode.
#: verdict = "race"
#: class = "hang"
#: options = ["--path", "/a", "--path", "/b", "--mode", "embedded"]
import threading
import time

_one, _other, _ready = threading.Lock(), threading.Lock(), []


def application(environ, start_response):
    if not _ready:
        first, second = (_one, _other) if environ["PATH_INFO"] == "/a" else (_other, _one)
        with first:
            time.sleep(0.2)
            with second:
                _ready.append(True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
