#: Opens files until it may not, within a limit of its own, and never closes them.
#: verdict = ["broken", "inconclusive"]
#: class = ["error", "hang", "poisoned", ""]
#: options = ["--timeout", "5"]
#: why = "Alone, too, the process cannot take a second request: no race, and not clean."
import resource

resource.setrlimit(resource.RLIMIT_NOFILE, (128, 128))
_open = []


def application(environ, start_response):
    try:
        while True:
            _open.append(open("/dev/null"))
    except OSError:
        pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
