#: A directory that httpd would replace by a variable.
#: verdict = "refused"
#: place = "${PATH}/app.wsgi"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
