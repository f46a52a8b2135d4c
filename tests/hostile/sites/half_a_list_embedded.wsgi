#: The same in embedded mode.
#: verdict = "race"
#: class = "failed-request"
#: options = ["--mode", "embedded"]
import time

_names = []


def application(environ, start_response):
    if not _names:
        for number in range(10):
            _names.append("name %d" % number)
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(_names).encode()]
