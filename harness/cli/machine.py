"""`harness doctor`: what this machine has for the harness, what is missing, and how to get it."""

from __future__ import annotations

import click
from rich.markup import escape
from rich.table import Table

from harness.errors import HarnessError
from harness.hosting import diagnosis
from harness.proc import server_user
from harness.report.console import open_console
from harness.runtimes.interpreters import Interpreter, find_first, interpreters
from harness.runtimes.packages import install_command
from harness.runtimes.spec import declared_runtimes


def _lacking(interpreter: Interpreter) -> str:
    """What this interpreter needs to have a runtime made of it, and how to get it."""
    minor = interpreter.minor
    lacks = []
    if not interpreter.has_headers:
        lacks.append(f"no headers: {install_command('headers', minor=minor)}")
    if not interpreter.is_2 and not interpreter.has_venv:
        lacks.append(f"no venv: {install_command('venv', minor=minor)}")
    return "; ".join(lacks)


@click.command()
def doctor() -> None:
    """Show what this machine has for the harness, what is missing, and how to get it."""
    table = Table("what", "found", "if missing")
    for need in (diagnosis.system(), diagnosis.server(), diagnosis.compiler()):
        table.add_row(*map(escape, need))
    for interpreter in interpreters():
        table.add_row(f"Python {interpreter.version}", escape(interpreter.executable), escape(_lacking(interpreter)))
    usable = 0
    for name, spec in declared_runtimes().items():
        try:
            table.add_row(f"runtime {name}", escape(find_first(spec.pythons).executable), "")
            usable += 1
        except HarnessError as error:
            table.add_row(f"runtime {name}", "-", escape(str(error)))
    table.add_row(*map(escape, diagnosis.docker()))
    try:
        user, _ = server_user()
        table.add_row("server user", user or "yourself (httpd is not started by root)", "")
    except HarnessError as error:
        table.add_row("server user", "-", escape(str(error)))
    open_console().print(table)
    click.get_current_context().exit(0 if usable else 3)
