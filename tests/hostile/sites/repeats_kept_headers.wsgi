#: Several headers of names that are compared.
#: verdict = "clean"
import time


def application(environ, start_response):
    time.sleep(0.1)
    headers = [("Content-Type", "text/plain"), ("Vary", "Cookie"), ("Vary", "Accept"), ("Content-Language", "de")]
    start_response("200 OK", headers + [("Content-Language", "en"), ("Location", "/a"), ("Location", "/b")])
    return [b"fine"]
