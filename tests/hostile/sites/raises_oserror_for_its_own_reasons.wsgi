#: Raises "Too many open files" by itself, alone too.
#: verdict = "broken"
#: class = "error"


def application(environ, start_response):
    raise OSError(24, "Too many open files")
