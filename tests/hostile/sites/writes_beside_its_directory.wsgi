#: Tries to write wherever the harness has files.
#: verdict = "clean"
#: root = true
import os
import time

_RECORDING = [line.split(None, 5)[5].strip() for line in open("/proc/self/maps") if "/events/" in line][0]
_HOME = os.path.dirname(os.path.dirname(_RECORDING))
_done = []
for _name in ("httpd.conf", "boot.wsgi", "probe.marshal", "listener.marshal", "state.marshal", "error.log", "new", "../new"):
    try:
        open(os.path.join(_HOME, _name), "a").close()
        _done.append(_name)
    except OSError:
        pass
try:
    os.rename(os.path.dirname(_RECORDING), _HOME + "/moved")
    _done.append("moved")
except OSError:
    pass


def application(environ, start_response):
    time.sleep(0.1)
    start_response("500 Owned" if _done else "200 OK", [("Content-Type", "text/plain")])
    return [", ".join(_done).encode()]
