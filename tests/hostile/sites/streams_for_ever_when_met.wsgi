#: Answers alone; whoever meets another gets a body without end.
#: verdict = ["inconclusive", "race"]
#: class = ["", "failed-request", "hang"]
#: options = ["--timeout", "8", "--trials", "2", "--users", "3"]
#: why = "Cut answers prove nothing, or are wrong: never clean."
import time

_inside = []


def application(environ, start_response):
    _inside.append(1)
    time.sleep(0.1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    while len(_inside) > 1:
        yield b"x" * 65536
    _inside.pop()
    yield b"fine"
