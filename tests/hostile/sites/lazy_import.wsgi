#: Imports a module in its first request, while others wait.
#: verdict = "hazard"
#: writable = true
import os
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, _HERE)
with open(os.path.join(_HERE, "lazy_one.py"), "w") as _stream:
    _stream.write("import time\ntime.sleep(0.3)\n")


def application(environ, start_response):
    time.sleep(0.05)
    import lazy_one

    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
