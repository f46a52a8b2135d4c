"""Runs `harness` commands as forks of one process that has imported it: an import takes longer than most commands."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Runs with the interpreter of the harness under test, whichever version that is.
PROGRAM = r"""
import atexit, json, os, signal, sys, tempfile, threading, traceback
from harness.cli import main
try:
    import harness.cli.commands  # where the commands are imported only when one is called
except ImportError:
    pass

def run(order):
    os.setsid()
    null, output = os.open(os.devnull, os.O_RDONLY), os.open(order["output"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for source, target in ((null, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environment"])
    tempfile.tempdir = None
    sys.argv = ["harness"] + order["arguments"]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code = 0
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
    except BaseException:
        code = 120
    os._exit(code & 255)

print(json.dumps("ready"), flush=True)
for line in iter(sys.stdin.readline, ""):
    pid = os.fork()
    if not pid:
        run(json.loads(line))
    print(json.dumps(pid), flush=True)
    print(json.dumps(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])), flush=True)
"""
# Enough for an import on a machine that does other things too, and for a command that was asked to end.
START_SECONDS, END_SECONDS = 180.0, 30.0


class WarmHarness:
    """A process that has imported the harness of one interpreter's environment. A context manager."""

    def __init__(self, python: str) -> None:
        self._python = python

    def __enter__(self) -> WarmHarness:
        self._process = subprocess.Popen(
            [self._python, "-P", "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )
        self._read(START_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], timeout: float
    ) -> tuple[int | None, str]:
        """The exit code (None: it did not end in time) and the output of a command."""
        output = directory / f"output-{time.monotonic_ns()}"
        order = {
            "arguments": list(arguments), "directory": str(directory), "environment": dict(environment),
            "output": str(output),
        }  # fmt: skip
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        pid = self._read(START_SECONDS)
        assert isinstance(pid, int), "the process that forks commands has ended"
        code = self._read(timeout)
        if code is None:
            for number in (signal.SIGINT, signal.SIGKILL):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
                if self._read(END_SECONDS) is not None:
                    break
        text = output.read_text(errors="surrogateescape")
        output.unlink()
        return (code if isinstance(code, int) else None), text

    def _read(self, timeout: float) -> object:
        """The next line of the process; None if there is none in time."""
        stream = self._process.stdout
        assert stream is not None
        ready = select.select([stream], [], [], timeout)[0]
        line = stream.readline() if ready else ""
        return json.loads(line) if line else None
