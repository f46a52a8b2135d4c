"""The comparison as an assertion."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from harness.parity.compare import ParityComparison
from harness.parity.places import find_places
from harness.parity.report import print_comparison
from harness.parity.run import choose_runtime, compare_site
from harness.records import Mode

WIDTH = 120
"""Of the table in an error message: as wide as pytest's own output usually is."""


def assert_parity(
    site: str | os.PathLike[str],
    script: str | os.PathLike[str] | None = None,
    *,
    ignore: Sequence[str] = ("cwd",),
    mode: Mode = "daemon",
    path: str = "/",
    headers: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
    python: Path | None = None,
    runtime: str | None = None,
    sites: Path = Path("sites"),
) -> ParityComparison:
    """Assert that a site's script sets its process up as the development server does, apart from the rows in `ignore`.
    Raises AssertionError: it does not; the message has the table, and what to change in the script; HarnessError: one
    of the two does not start; MissingRuntime: the interpreter is not on this machine."""
    places = find_places(os.fspath(site), sites, None if script is None else os.fspath(script))
    comparison = compare_site(
        places,
        choose_runtime(places, runtime, None, python),
        mode=mode,
        path=path,
        headers=headers,
        environment=environment,
        accepted=tuple(ignore),
    )
    if not comparison.same:
        console = Console(width=WIDTH, color_system=None)
        with console.capture() as output:
            print_comparison(console, comparison)
        raise AssertionError(f"the script differs from the development server\n{output.get()}")
    return comparison
