"""What this machine has for the harness, what is missing, and how to get it."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.errors import HarnessError
from harness.hosting import stack
from harness.hosting.preparing import apxs
from harness.proc import server_user
from harness.runtimes.interpreters import find_first, interpreters
from harness.runtimes.spec import declared_runtimes


def print_doctor(console: Console) -> int:
    """Print the findings; 0 if the local backend can run at least one runtime, else 3."""
    table = Table("what", "found", "if missing")
    table.add_row(*_httpd())
    table.add_row(*_compiler())
    for found in interpreters():
        headers = "" if found.has_headers else f"no headers: install python{found.minor}-dev"
        table.add_row(f"Python {found.version}", escape(found.executable), headers)
    usable = 0
    for name, spec in declared_runtimes().items():
        try:
            table.add_row(f"runtime {name}", escape(find_first(spec.pythons).executable), "")
            usable += 1
        except HarnessError as error:
            table.add_row(f"runtime {name}", "-", escape(str(error)))
    table.add_row(*_docker())
    try:
        user, _ = server_user()
        table.add_row("server user", user or "yourself (httpd is not started by root)", "")
    except HarnessError as error:
        table.add_row("server user", "-", escape(str(error)))
    console.print(table)
    return 0 if usable else 3


def _httpd() -> tuple[str, str, str]:
    try:
        tool = apxs()
    except HarnessError as error:
        return "httpd", "-", escape(str(error))
    if tool:
        return "httpd", f"apxs: {tool}", ""
    return (
        "httpd",
        "no apxs: mod_wsgi-standalone will build an httpd of its own, once, in minutes",
        "apt install apache2 apache2-dev (faster)",
    )


def _compiler() -> tuple[str, str, str]:
    found = shutil.which("cc") or shutil.which("gcc")
    return "C compiler", found or "-", "" if found else "install gcc: mod_wsgi is compiled for each interpreter"


def _docker() -> tuple[str, str, str]:
    found: list[str] = []
    try:
        found.append(f"engine {stack.engine()}")
        found.append(f"compose {stack.check_compose()}")
        here = stack.Stack.find(Path.cwd())
    except HarnessError as error:
        return "Docker", ", ".join(found) or "-", escape(f"only for the compose backend: {error}")
    if here is None:
        return "Docker", ", ".join(found), "no stack of this directory is running: docker compose up -d --wait"
    return "Docker", escape(", ".join([*found, str(here)])), ""
