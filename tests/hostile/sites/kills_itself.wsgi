#: SIGKILL to itself in each request.
#: verdict = "broken"
#: class = "error"
import os


def application(environ, start_response):
    os.kill(os.getpid(), 9)
