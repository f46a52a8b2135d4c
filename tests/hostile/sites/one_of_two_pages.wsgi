#: One of two pages, by chance.
#: verdict = ["clean", "inconclusive"]
#: why = "Different by chance, one request at a time too: no race."
import random
import time

_PAGES = (b"<p>Spring has come, and the birds sing.</p>", b"<h1>Autumn</h1><p>Leaves fall.</p><hr>")


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/html")])
    return [random.choice(_PAGES)]
