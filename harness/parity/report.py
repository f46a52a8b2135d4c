"""A comparison as a table with advice, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.advice.recipes import bootstrap
from harness.parity.compare import ParityComparison

SCHEMA_VERSION = 1


def print_comparison(console: Console, comparison: ParityComparison) -> None:
    """Print the table, what to change in the script, and a summary."""
    script, versions = Path(comparison.script).name, comparison.versions
    title = escape(
        f"{Path(comparison.site).name}: Django {versions.get('django', '?')}, Python {versions.get('python', '?')}, "
        f"mod_wsgi {versions.get('mod_wsgi', '?')}"
    )
    table = Table("", "development server", f"{script}, {comparison.mode} mode", "", title=title)
    for row in comparison.rows:
        mark = "same" if row.same else "accepted" if row.accepted else "[bold red]DIFFERS[/]"
        table.add_row(row.title, escape(row.development_server), escape(row.script), mark)
    console.print(table)
    for line in words_of(comparison):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def words_of(comparison: ParityComparison) -> Iterator[str]:
    """What differs and what to change in the script, one line for each."""
    if comparison.same:
        accepted = [row.key for row in comparison.rows if row.accepted]
        yield "the script sets the process up as the development server does" + (
            f", apart from {', '.join(accepted)} (accepted)" if accepted else ""
        )
        return
    yield f"what to change in {Path(comparison.script).name}:"
    for row in comparison.differing:
        yield f"  {row.key}: {row.advice}"
    yield f"  or all of it at once: {'; '.join(bootstrap(comparison.directory))}"
    keys = [row.key for row in comparison.differing]
    yield f"differs in {len(keys)} of {len(comparison.rows)} rows: {', '.join(keys)} (--accept KEY for each that may)"


def encode(comparison: ParityComparison) -> bytes:
    """The comparison as indented JSON."""
    data = {"schema_version": SCHEMA_VERSION, "same": comparison.same, **msgspec.to_builtins(comparison)}
    return msgspec.json.format(msgspec.json.encode(data), indent=2) + b"\n"
