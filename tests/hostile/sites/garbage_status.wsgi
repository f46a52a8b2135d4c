#: A status that is none.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("banana", [])
    return [b""]
