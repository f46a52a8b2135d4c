#: A daemon that ignores every signal that can be ignored.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
import os
import time

if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 4096)
    os.execv("/bin/sh", ["sh", "-c", "trap '' HUP INT QUIT TERM USR1 USR2 PIPE ALRM; for i in 1 2 3 4 5 6 7 8 9; do sleep 400; done"])
os.wait()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
