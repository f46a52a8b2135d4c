#: When two meet, a thread stays whose name would be obeyed.
#: verdict = "race"
#: class = "wrong-state"
import threading
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    if len(_inside) > 1:
        thread = threading.Thread(target=time.sleep, args=(3600,), name="\x1b[2J\n::error::owned \u202e")
        thread.daemon = True
        thread.start()
    start_response("200 OK", [("Content-Type", "text/plain")])
    time.sleep(0.1)
    _inside.pop()
    return [b"fine"]
