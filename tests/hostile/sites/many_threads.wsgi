#: Starts two hundred threads while it is imported; they sleep.
#: verdict = "clean"
import threading
import time

for _ in range(200):
    _thread = threading.Thread(target=time.sleep, args=(3600,))
    _thread.daemon = True
    _thread.start()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
