#: Leaves in the middle of each request.
#: verdict = "broken"
#: class = "error"
import os


def application(environ, start_response):
    os._exit(0)
