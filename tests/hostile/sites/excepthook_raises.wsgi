#: The hooks for errors raise themselves.
#: verdict = "broken"
#: class = "error"
import sys
import threading


def _hook(*arguments):
    raise RuntimeError("in the hook")


sys.excepthook = threading.excepthook = sys.unraisablehook = _hook


def application(environ, start_response):
    raise ValueError("and now?")
