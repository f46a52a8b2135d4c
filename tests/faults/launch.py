"""Starts a program as a user would, with the machine's cache of runtimes and all its output in one pipe."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def launch(module, *arguments, directory=ROOT):
    return subprocess.Popen(
        [sys.executable, "-m", module, *map(str, arguments)],
        cwd=directory,
        env={"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
