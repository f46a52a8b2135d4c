#: A name that would change the colour of a terminal.
#: verdict = ["clean", "refused"]
#: place = "\u001b[31mred.wsgi"
#: why = "It is hosted as any other, or refused in a sentence: never half of it."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
