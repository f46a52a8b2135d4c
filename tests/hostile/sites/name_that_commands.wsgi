#: A name that CI services would obey, and that looks like markup of the console's.
#: verdict = ["clean", "refused"]
#: place = "##[error]x[bold red].wsgi"
#: why = "It is hosted as any other, or refused in a sentence: never half of it."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
