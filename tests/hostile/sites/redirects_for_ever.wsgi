#: Sends everybody to where he is.
#: verdict = ["clean", "inconclusive"]
#: why = "No race; whether a page was ever seen is another question."
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("302 Found", [("Location", environ["PATH_INFO"])])
    return [b""]
