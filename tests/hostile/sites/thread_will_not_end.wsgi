#: A thread that is no daemon and never ends: a shutdown waits for it.
#: verdict = "clean"
import threading
import time

threading.Thread(target=time.sleep, args=(3600,)).start()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
