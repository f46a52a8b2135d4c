"""What the backends need of this machine, and what of it is missing."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from harness import proc
from harness.errors import HarnessError
from harness.hosting import stack
from harness.hosting.installed import installed_httpd
from harness.hosting.preparing import OWN_HTTPD_TIME
from harness.runtimes.packages import find_compiler, install_command, system_name, unsupported_system

_PURPOSE = "mod_wsgi is compiled for each interpreter"


class Diagnosis(NamedTuple):
    """Something that a backend or a runtime needs; a row of the table."""

    what: str
    here: str
    if_missing: str = ""


def system() -> Diagnosis:
    """The system; the local backend needs Linux."""
    return Diagnosis("system", system_name(), unsupported_system())


def server() -> Diagnosis:
    """The httpd of the local backend."""
    try:
        search = installed_httpd()
    except HarnessError as error:
        return Diagnosis("httpd", "-", str(error))
    if search.httpd:
        return Diagnosis("httpd", search.seen)
    return Diagnosis(
        "httpd",
        f"{search.lack}; {search.seen}",
        f"{search.remedy}; else mod_wsgi-standalone builds its own httpd, once, in {OWN_HTTPD_TIME}",
    )


def compiler() -> Diagnosis:
    """What mod_wsgi is compiled with, and an httpd of its own where none is installed."""
    path = find_compiler()
    if path is None:
        return Diagnosis("C compiler", "- (cc, gcc)", f"{install_command('compiler')}: {_PURPOSE}")
    try:
        own = installed_httpd().httpd is None
    except HarnessError:
        own = False
    if own and not proc.program("make"):
        return Diagnosis("C compiler", f"{path}, no make", f"{install_command('make')}: httpd is built with it")
    return Diagnosis("C compiler", path)


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
