"""The list of stored runs on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.store.runs import StoredRun


def print_runs(console: Console, runs: Sequence[StoredRun]) -> None:
    """A table, the newest run first."""
    table = Table("run", "when (UTC)", "scenarios")
    for name in ("cases", "verdicts", "met", "time"):
        table.add_column(name, justify="left" if name == "verdicts" else "right")
    for run in runs:
        met = run.cases - run.unmet
        table.add_row(
            escape(run.name),
            f"{run.begin:%Y-%m-%d %H:%M}",
            escape(", ".join(run.scenarios[:3]) + (", …" if len(run.scenarios) > 3 else "")),
            str(run.cases),
            ", ".join(f"{name} {count}" for name, count in run.verdicts.most_common())
            if run.status == "complete"
            else run.status,
            f"{met}/{run.cases}" if run.status == "complete" else "-",
            f"{run.seconds:.0f} s",
        )
    console.print(table)
