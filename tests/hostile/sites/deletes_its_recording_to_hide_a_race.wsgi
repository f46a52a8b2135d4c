#: Builds its application twice where two requests meet, and deletes what would tell of it.
#: verdict = ["inconclusive", "race"]
#: class = ["", "duplicate-init", "wrong-state"]
#: why = "Its answers are right and the record of it is gone: never clean."
import os
import time

from django.conf import settings

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
os.unlink(_RECORDING)
_ready = []


def application(environ, start_response):
    if not _ready:
        time.sleep(0.1)
        settings._wrapped = type(settings._wrapped)() if settings.configured else settings._wrapped
        _ready.append(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
