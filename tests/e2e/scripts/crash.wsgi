"""The process dies when two requests initialise at once."""
import os

_inside = []


def application(environ, start_response):
    _inside.append(True)
    sum(number * number for number in range(200000))
    if len(_inside) > 1:
        os.abort()
    _inside.pop()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"alone"]
