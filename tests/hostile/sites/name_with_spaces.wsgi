#: A directory and a script with spaces and quotes in their names.
#: verdict = "clean"
#: place = "my 'site' (old)/it's here.wsgi"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
