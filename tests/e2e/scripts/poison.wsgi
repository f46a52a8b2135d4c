"""Two requests that initialise at once leave a mark that fails every later request."""
_inside, _spoiled = [], []


def application(environ, start_response):
    _inside.append(True)
    sum(number * number for number in range(200000))
    if len(_inside) > 1:
        _spoiled.append(True)
    _inside.pop()
    if _spoiled:
        raise RuntimeError("spoiled for good")
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"sound"]
