"""Loaded by mod_wsgi when an interpreter starts: runs the probe, which lies compiled beside this file.

mod_wsgi compiles a script at each start, which would take longer than all that the probe does.
"""
import marshal
import os
import sys

try:
    _here = os.path.dirname(os.path.abspath(__file__))
    with open(os.path.join(_here, "probe.marshal"), "rb") as _stream:
        _probe = {"__name__": "_harness_probe", "__file__": os.path.join(_here, "probe.py")}
        exec(marshal.loads(_stream.read()), _probe)
    _probe["install"](os.path.join(_here, "events"))
except Exception as _error:
    sys.stderr.write("harness probe: not installed: %r\n" % (_error,))
