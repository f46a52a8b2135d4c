#: A daemon by the book: forks twice, a session of its own, no descriptor left.
#: verdict = "clean"
#: says = ['leaves? \d+ process']
import os
import time

if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.closerange(0, 4096)
    os.execve("/bin/sleep", ["sleep", "3600"], {})
os.wait()


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
