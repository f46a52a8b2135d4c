"""Effective trials a second of the snapshot lane against the Apache lane, on mysite, side by side in one run.

    python -m benchmarks.snapshot_rate

Both as they always run: probe on, 15 users, state recorded, history written, every trial graded, natural scheduling.
The clock of a lane starts after its first few trials.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from benchmarks.trial_rate import USERS, WARM_UP, measure_harness
from harness.cases.case import Case
from harness.cases.script import script_case
from harness.hosting.preparing import prepare
from harness.report.console import say
from harness.runtimes.building import Runtime
from harness.runtimes.spec import declared_runtimes
from harness.search.explorer import Explorer
from harness.store.history import HistoryWriter
from harness.verdict import Tally

SCRIPTS = ("default", "improved")


def measure_snapshot(case: Case, runtime: Runtime, directory: Path) -> float:
    """Effective trials a second."""
    marks: list[tuple[float, int]] = []

    def watch(_: Case, tally: Tally) -> None:
        if tally.trials in (WARM_UP, case.trials - 2):
            marks.append((time.monotonic(), tally.effective))

    with HistoryWriter(directory / f"snapshot-{time.monotonic_ns()}.jsonl", case) as history:
        Explorer(case, runtime, history).run(os.cpu_count() or 1, watch)
    (begin, before), (end, after) = marks
    return (after - before) / (end - begin)


@click.command()
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--trials", type=click.IntRange(20, 5000), default=80, show_default=True, help="of a lane in a round")
@click.option("--runtime", "name", default="django52", show_default=True)
@keep_option
def main(rounds: int, trials: int, name: str, keep: Path | None) -> None:
    """Print the rates and their ratio, the median of the rounds."""
    runtime = prepare(name, declared_runtimes()[name], say)
    table = Table("script", "Apache lane/s", "snapshot lane/s", "snapshot : Apache", title="effective trials")
    for script in SCRIPTS:
        pairs = []
        for number in range(1, rounds + 1):
            with tempfile.TemporaryDirectory() as directory:
                path = Path(f"sites/mysite/scripts/{script}.wsgi")
                case = script_case(path, users=USERS, trials=trials + WARM_UP)
                apache = measure_harness(case, runtime, Path(directory)).rate
                pairs.append((apache, measure_snapshot(case, runtime, Path(directory))))
            click.echo(f"{script} round {number}: Apache {pairs[-1][0]:.2f}/s, snapshot {pairs[-1][1]:.2f}/s", err=True)
        table.add_row(
            script,
            f"{statistics.median(apache for apache, _ in pairs):.2f}",
            f"{statistics.median(snapshot for _, snapshot in pairs):.2f}",
            f"{statistics.median(snapshot / apache for apache, snapshot in pairs):.1f}",
        )
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
