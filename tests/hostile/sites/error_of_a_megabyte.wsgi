#: Raises a text of a megabyte.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    raise ValueError("long " * 200000)
