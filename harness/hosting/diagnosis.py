"""What the backends need of this machine, and what of it is missing."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import NamedTuple

from harness.errors import HarnessError
from harness.hosting import stack
from harness.hosting.preparing import apxs


class Diagnosis(NamedTuple):
    """Something that a backend or a runtime needs; a row of the table."""

    what: str
    here: str
    if_missing: str = ""


def server() -> Diagnosis:
    """The httpd of the local backend."""
    try:
        tool = apxs()
    except HarnessError as error:
        return Diagnosis("httpd", "-", str(error))
    if tool:
        return Diagnosis("httpd", f"apxs: {tool}")
    return Diagnosis(
        "httpd",
        "no apxs: mod_wsgi-standalone will build its own httpd, once, which takes minutes",
        "apt install apache2 apache2-dev (faster)",
    )


def compiler() -> Diagnosis:
    """What mod_wsgi is compiled with."""
    path = shutil.which("cc") or shutil.which("gcc")
    missing = "" if path else "install gcc: mod_wsgi is compiled for each interpreter"
    return Diagnosis("C compiler", path or "-", missing)


def docker() -> Diagnosis:
    """The engine, Compose, and the stack of the current directory."""
    here: list[str] = []
    try:
        here.append(f"engine {stack.engine()}")
        here.append(f"compose {stack.check_compose()}")
        running = stack.Stack.find(Path.cwd())
    except HarnessError as error:
        return Diagnosis("Docker", ", ".join(here) or "-", f"only for the compose backend: {error}")
    if running is None:
        missing = "no stack of this directory is running: docker compose up -d --wait"
        return Diagnosis("Docker", ", ".join(here), missing)
    return Diagnosis("Docker", ", ".join([*here, str(running)]))
