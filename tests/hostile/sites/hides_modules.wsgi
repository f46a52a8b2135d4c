#: Puts None and numbers into sys.modules where the standard library should be.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; what the record of them lacks may be refused."
import sys
import time

for _name in ("json", "logging", "warnings", "locale", "weakref", "traceback", "threading"):
    sys.modules[_name] = None
sys.modules["a number"] = 3
sys.modules["\x1b[31m"] = object()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
