#: Two daemons watch each other's family: who is killed is started again, thirty times at most.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
import os
import time

_WATCH = "n=0; while [ $n -lt 30 ]; do sleep 300; n=$((n+1)); done"
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.closerange(0, 4096)
    os.execv("/bin/sh", ["sh", "-c", "m=0; while [ $m -lt 30 ]; do sh -c '%s' & wait; m=$((m+1)); done" % _WATCH])
os.wait()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
