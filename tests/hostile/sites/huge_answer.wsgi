#: Its answer to the question of its state has a million entries.
#: verdict = ["inconclusive", "clean"]
#: options = ["--trials", "3"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import json
import time

_real = json.dumps


def _dumps(value, *arguments, **more):
    if isinstance(value, dict) and "state" in value:
        value = {"state": {"entry %d" % number: number for number in range(1000000)}, "failed": []}
    return _real(value, *arguments, **more)


json.dumps = _dumps


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
