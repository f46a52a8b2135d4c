#: Whoever comes while the list is filled gets a part of it, with status 200.
#: verdict = "race"
#: class = "failed-request"
import time

_names = []


def application(environ, start_response):
    if not _names:
        for number in range(10):
            _names.append("name %d" % number)
            time.sleep(0.02)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(_names).encode()]
