#: Its answer to the question of its state is garbage.
#: verdict = "inconclusive"
import json
import time

_real = json.dumps
json.dumps = lambda value, *a, **k: "[" * 50000 if isinstance(value, dict) and "state" in value else _real(value, *a, **k)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
