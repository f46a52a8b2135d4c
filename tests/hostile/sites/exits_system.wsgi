#: SystemExit in each request.
#: verdict = "broken"
#: class = "error"
#: says = ["SystemExit"]
import sys


def application(environ, start_response):
    sys.exit(3)
