#: Percent signs, dollars, a number sign and braces in a name.
#: verdict = "clean"
#: place = "100%{x}%s%41 $HOME #1 {}/app$.wsgi"
import time


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
