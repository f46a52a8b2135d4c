#: Aborts in each request.
#: verdict = "broken"
#: class = "error"
import os


def application(environ, start_response):
    os.abort()
