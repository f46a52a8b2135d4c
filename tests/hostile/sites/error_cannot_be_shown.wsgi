#: Raises what raises again when it is shown.
#: verdict = "broken"
#: class = "error"


class Sly(Exception):
    def __str__(self):
        raise RuntimeError("no")

    __repr__ = __str__


def application(environ, start_response):
    raise Sly()
