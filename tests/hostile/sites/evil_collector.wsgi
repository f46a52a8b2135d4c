#: Garbage that raises when it is collected, and callbacks of the collector that raise.
#: verdict = "clean"
import gc
import time


class Evil:
    def __del__(self):
        raise RuntimeError("in __del__")


def _callback(phase, details):
    raise RuntimeError("in a callback")


gc.callbacks.append(_callback)


def application(environ, start_response):
    time.sleep(0.1)
    knot = Evil()
    knot.self = knot
    del knot
    gc.collect()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
