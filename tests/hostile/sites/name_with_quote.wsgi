#: A name that would end a quoted word.
#: verdict = ["refused", "clean"]
#: place = 'a"b.wsgi'
#: why = "It is hosted as any other, or refused in a sentence: never half of it."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
