"""Where a command's output goes: tables to the terminal, JSON to a file or to standard output, a page to the run."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console

from harness.bench.records import Bench
from harness.cases.reading import is_directory, shown
from harness.errors import BadInput, HarnessError
from harness.report import bench_page, html
from harness.report.console import open_console, print_plain
from harness.report.page import FILE, write_page
from harness.result import RunResult
from harness.runtimes.limits import write_error


def check_json(file: Path | None) -> None:
    """Before anything is run. Raises BadInput: --json names a file in a directory that does not exist."""
    if file is not None and not is_directory(file.parent):
        raise BadInput(f"--json {shown(file)}: there is no directory {shown(file.parent)}")


def console_beside(file: Path | None) -> Console:
    """Standard output, or standard error if JSON goes to standard output."""
    return open_console(stderr=str(file) == "-")


def write(file: Path, content: bytes, option: str = "") -> None:
    """Write to a file, or to standard output (-). Raises BadInput, InfrastructureError, which begin with the `option`
    that named the file."""
    if str(file) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        file.write_bytes(content)
    except OSError as error:
        raise write_error(f"{option}{shown(file)}", "the file", error) from error


def write_json(file: Path | None, content: bytes) -> None:
    """What --json asks for. Raises BadInput."""
    if file is not None:
        write(file, content, "--json ")


def keep_page(console: Console, directory: Path, result: RunResult | Bench) -> None:
    """Write the page of a run that has just ended and say where its results are. It never fails the run."""
    try:
        text = bench_page.render(result) if isinstance(result, Bench) else html.render(directory, result)
        page = write_page(directory / FILE, text)
    except Exception as error:  # noqa: BLE001 - the results are there, whatever is wrong with a drawing of them
        reason = str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}"
        print_plain(console, f"Results: {directory}. The report page could not be made: {reason}")
    else:
        print_plain(console, f"Results: {directory}. Report: {page}")
