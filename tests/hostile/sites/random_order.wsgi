#: The same thirty lines in another order each time.
#: verdict = ["clean", "inconclusive"]
#: why = "Different for everybody, one request at a time too: no race."
import random
import time


def application(environ, start_response):
    time.sleep(0.1)
    lines = ["<li>line %d</li>" % number for number in range(30)]
    random.shuffle(lines)
    start_response("200 OK", [("Content-Type", "text/html")])
    return ["\n".join(lines).encode()]
