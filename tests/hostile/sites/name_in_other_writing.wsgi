#: Names in letters of other alphabets.
#: verdict = "clean"
#: place = "Grüße 日本語/приложение.wsgi"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
