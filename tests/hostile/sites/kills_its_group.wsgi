#: Kills its whole process group in each request, itself included.
#: verdict = "broken"
#: class = "error"
#: root = true
import os


def application(environ, start_response):
    os.killpg(0, 9)
