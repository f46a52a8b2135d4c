#: Headers of wrong types.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    start_response("200 OK", [("Content-Type", 3), b"x", None])
    return [b""]
