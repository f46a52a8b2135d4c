#: One request in three is answered with 500, by chance.
#: verdict = "broken"
#: class = ["error", "poisoned"]
#: why = "One request at a time too: of 32 requests of the controls one fails, but for one run in 400000."
import random
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response(random.choice(["200 OK", "200 OK", "500 Oops"]), [("Content-Type", "text/plain")])
    return [b"perhaps"]
