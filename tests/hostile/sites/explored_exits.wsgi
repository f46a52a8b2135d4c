#: Leaves in each request, in forked copies of one process.
#: verdict = ["broken", "inconclusive"]
#: class = ["error", ""]
#: lane = "explore"
#: why = "One request at a time too nobody is answered: no race, and not clean."
import os


def application(environ, start_response):
    os._exit(0)
