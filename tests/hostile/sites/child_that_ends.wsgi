#: Starts a program in each request and waits for it: nothing is left. The near-twin of those that leave one.
#: verdict = "clean"
#: never = ['leaves? \d+ process']
import subprocess
import time


def application(environ, start_response):
    time.sleep(0.1)
    text = subprocess.check_output(["/bin/echo", "fine"], close_fds=True)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [text]
