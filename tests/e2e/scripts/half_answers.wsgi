"""Answers that are not whole, or never end, and near-twins that are."""
import gzip
import itertools
import time

inside = []
GZIP = [("Content-Encoding", "gzip")]


def raising():
    yield b"12345"
    raise ValueError("in the body")


def together():
    yield b"12345"
    inside.append(1)
    time.sleep(0.2)
    others = len(inside) - 1
    time.sleep(0.2)
    inside.pop()
    if others:
        raise ValueError("met another")


def drip():
    while True:
        yield b"x"
        time.sleep(0.1)


def bodies(path):
    """The body that belongs to a path, and its headers."""
    return {
        "/raise": (raising, []),
        "/short": (lambda: [b"123"], [("Content-Length", "10")]),
        "/garbled": (lambda: [b"no gzip"], GZIP),
        "/gzip": (lambda: [gzip.compress(b"<p>hello</p>" * 50, mtime=time.time_ns() % 2**32)], GZIP),
        "/bytes": (lambda: [bytes(range(256))], [("WWW-Authenticate", "a"), ("WWW-Authenticate", "b")]),
        "/empty": (lambda: [b""], []),
        "/endless": (lambda: (b"x" * 65536 for _ in itertools.count()), []),
        "/drip": (drip, []),
        "/bomb": (lambda: [gzip.compress(b"\0" * 10**8)], GZIP),
        "/together": (together, []),
    }[path]


def application(environ, start_response):
    sum(number * number for number in range(100000))
    make, headers = bodies(environ["PATH_INFO"])
    start_response("200 OK", [("Content-Type", "text/plain"), *headers])
    return make()
