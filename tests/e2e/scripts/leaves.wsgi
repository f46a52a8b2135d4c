"""Each process leaves two others behind: one that it has started, and one that has daemonised and ignores SIGTERM."""
import os
import signal
import subprocess

subprocess.Popen(["sleep", "1001"])
if not os.fork():
    os.setsid()
    if os.fork():
        os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.closerange(0, 100)
    os.execvp("sleep", ["sleep", "1002"])
os.wait()


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"x"]
