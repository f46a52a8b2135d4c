"""Every early request builds the table, and finds it half-built by another: some fail."""
import json.scanner  # an ordinary first import: the script's only work under mod_wsgi's lock

_table = {}


def application(environ, start_response):
    if not _table:
        for number in range(200000):
            _table[number] = str(number)
    body = _table[199999].encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
