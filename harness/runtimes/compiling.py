"""Compiles scripts and the probe with a runtime's own interpreter: syntax and bytecode differ between versions."""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

import msgspec

from harness.errors import BadInput, InfrastructureError
from harness.runtimes.building import Runtime
from harness.runtimes.interpreters import clean_environment

# Prints the place and kind of a script's syntax error, or nothing. Runs on Python 2.7 too.
CHECK_SYNTAX = """
import sys
path = sys.argv[1]
try:
    compile(open(path, "rb").read(), path, "exec")
except (SyntaxError, ValueError) as error:
    print("%s:%s: %s" % (path, getattr(error, "lineno", "?"), error.args[0]))
"""

# Prints the marshalled code objects of source files, by name, in base 64. Runs on Python 2.7 too.
COMPILE = """
import base64, json, marshal, os, sys
codes = {}
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        code = marshal.dumps(compile(stream.read(), path, "exec"))
    codes[os.path.basename(path)[:-3]] = base64.b64encode(code).decode("ascii")
print(json.dumps(codes))
"""


def check_syntax(runtime: Runtime, script: Path) -> None:
    """Compile a script with the runtime's own interpreter. Raises BadInput: a syntax error, with file and line."""
    command = [str(runtime.python), "-c", CHECK_SYNTAX, str(script)]
    # From a neutral directory, here and below: a json.py of the caller's is not this interpreter's.
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd="/", env=clean_environment())
    if done.stdout:
        raise BadInput(f"the script has a syntax error: {done.stdout.strip()}")


@functools.cache
def compiled_by(python: Path, sources: tuple[Path, ...]) -> dict[str, bytes]:
    """The code objects of these files, marshalled, by name. Raises InfrastructureError: they cannot be compiled."""
    command = [str(python), "-c", COMPILE, *map(str, sources)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, cwd="/", env=clean_environment())
    except (OSError, subprocess.CalledProcessError) as error:
        raise InfrastructureError(f"{python} cannot compile {sources[0].parent}: {error}") from error
    return msgspec.json.decode(done.stdout, type=dict[str, bytes])
