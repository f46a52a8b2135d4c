"""Stored runs on a terminal: the list of them, and the comparison of two."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.errors import printable, shortened
from harness.gate.stored_runs import Change, summary
from harness.report.console import print_plain
from harness.result import CaseResult
from harness.store.runs import StoredRun

_COLOURS = {"worse": "bold red", "better": "green"}
# There are five.
_MOST_VERDICTS = 5


def print_runs(console: Console, runs: Sequence[StoredRun]) -> None:
    """A table, the newest run first."""
    table = Table("run", "when (UTC)", "scenarios")
    for name in ("cases", "verdicts", "met", "time"):
        table.add_column(name, justify="left" if name == "verdicts" else "right")
    for run in runs:
        met = run.cases - run.unmet
        table.add_row(
            _cell(run.name),
            f"{run.begin:%Y-%m-%d %H:%M}",
            ", ".join(map(_cell, run.scenarios[:3])) + (", …" if len(run.scenarios) > 3 else ""),
            str(run.cases),
            ", ".join(f"{_cell(name)} {count}" for name, count in run.verdicts.most_common(_MOST_VERDICTS))
            if run.status == "complete"
            else _cell(run.status),
            f"{met}/{run.cases}" if run.status == "complete" else "-",
            f"{run.seconds:.0f} s",
        )
    console.print(table)


def print_comparison(console: Console, changes: Sequence[Change], before: str, after: str) -> None:
    """The table, then the sentences of each case that is in both runs, then the counts."""
    table = Table("case", "was", "is", title=f"{_cell(before)} against {_cell(after)}")
    table.add_column("bad", justify="right")
    table.add_column("")
    for change in changes:
        colour = _COLOURS.get(change.judgement)
        table.add_row(
            _cell(change.case),
            change.before.verdict_text if change.before else "-",
            change.after.verdict_text if change.after else "-",
            f"{_bad(change.before)} -> {_bad(change.after)}",
            f"[{colour}]{change.judgement}[/]" if colour else change.judgement,
        )
    console.print(table)
    for change in changes:
        if change.sentences and change.judgement not in ("added", "gone"):
            print_plain(console, f"{change.case}: {change.judgement}")
            for sentence in change.sentences:
                print_plain(console, f"  {sentence}")
    print_plain(console, summary(changes))


def _cell(text: str) -> str:
    """What a file says, as a table may show it."""
    return escape(shortened(printable(text)))


def _bad(case: CaseResult | None) -> str:
    return f"{case.bad_trials}/{case.judged_trials}" if case else "-"
