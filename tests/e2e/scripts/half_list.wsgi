"""A request that comes while the list is being filled gets a part of it, with status 200."""
_names = []


def _fill():
    for number in range(60000):
        _names.append("name %d" % number)


def application(environ, start_response):
    if not _names:
        _fill()
    body = "\n".join(_names[-3:]).encode()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [body]
