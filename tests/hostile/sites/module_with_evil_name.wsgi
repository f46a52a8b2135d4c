#: Its first request imports a module whose name would be obeyed.
#: verdict = "hazard"
#: writable = true
import importlib.util
import os
import sys
import threading
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(_HERE, "evil.py"), "w") as _stream:
    _stream.write("import time\ntime.sleep(0.2)\n")
_lock, _done = threading.Lock(), []


def application(environ, start_response):
    with _lock:
        if not _done:
            name = "\x1b[31m\n::error::owned\u202e##[error]"
            spec = importlib.util.spec_from_file_location(name, os.path.join(_HERE, "evil.py"))
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
            _done.append(module)
    time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
