"""Loaded by mod_wsgi when an interpreter starts: runs the probe and the listener, which lie compiled beside this file.

mod_wsgi compiles a script at each start, which would take longer than all that they do.
"""
import marshal
import os
import sys

_here = os.path.dirname(os.path.abspath(__file__))


def _load(name):
    with open(os.path.join(_here, name + ".marshal"), "rb") as stream:
        namespace = {"__name__": "_harness_" + name, "__file__": os.path.join(_here, name + ".py")}
        exec(marshal.loads(stream.read()), namespace)
    return namespace["install"]


def _is_disturbed():
    # What is put here for the next process of this group, while others of them run.
    group = getattr(__import__("mod_wsgi"), "process_group", "")
    return not os.path.exists(os.path.join(_here, "undisturbed-" + group)) and os.path.exists(os.path.join(_here, "plan"))


try:
    _listener = _load("listener")  # before the probe is there to see what it imports
    _perturb = _load("perturb") if _is_disturbed() else None
    _probe, _recording = _load("probe")(os.path.join(_here, "events"))
    if _perturb:
        with open(os.path.join(_here, "plan"), "rb") as _stream:
            _probe.disturb = _perturb(marshal.loads(_stream.read()), os.path.basename(_recording))
    _probe.load_witness = lambda: _load("witness")
    _listener(_here, _recording, _probe.is_busy)
except Exception as _error:
    sys.stderr.write("harness probe: not installed: %r\n" % (_error,))
