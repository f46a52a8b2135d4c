#: faulthandler writes all stacks to the log twenty times a second.
#: verdict = "clean"
import faulthandler
import time

faulthandler.enable()
faulthandler.dump_traceback_later(0.05, repeat=True)


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
