#: A directory whose name is a directive.
#: verdict = "refused"
#: place = "a\"\nErrorDocument 404 owned\n#/app.wsgi"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
