#: The builtin open() raises for everybody in the process.
#: verdict = ["clean", "inconclusive"]
#: why = "Its answers are right; whether its state can still be told is another question."
import builtins
import time


def _never(*arguments, **more):
    raise OSError("no files today")


builtins.open = _never


def application(environ, start_response):
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
