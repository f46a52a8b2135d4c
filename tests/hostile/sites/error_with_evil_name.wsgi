#: Raises an exception whose very name would be obeyed.
#: verdict = "broken"
#: class = "error"
_Evil = type("\x1b[31mEvilError\n::error::owned", (Exception,), {})


def application(environ, start_response):
    raise _Evil("##[error]owned \u202e \x9b2J")
