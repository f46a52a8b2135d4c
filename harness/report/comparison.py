"""The comparison of two stored runs on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.gate.stored_runs import Change, summary
from harness.report.console import print_plain
from harness.result import CaseResult

_COLOURS = {"worse": "bold red", "better": "green"}


def print_comparison(console: Console, changes: Sequence[Change], before: str, after: str) -> None:
    """The table, then the sentences of each case that is in both runs, then the counts."""
    table = Table("case", "was", "is", title=f"{before} against {after}")
    table.add_column("bad", justify="right")
    table.add_column("")
    for change in changes:
        colour = _COLOURS.get(change.judgement)
        table.add_row(
            escape(change.case),
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


def _bad(case: CaseResult | None) -> str:
    return f"{case.bad_trials}/{case.judged_trials}" if case else "-"
