"""Does the memory of the harness grow with the number of trials?

    python -m benchmarks.memory

Runs one case of many trials and prints the resident memory of the harness process meanwhile. It should not grow: the
history is on disk.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click
import psutil
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.cases.case import Case
from harness.cases.script import script_case
from harness.hosting.local import LocalHost
from harness.hosting.preparing import prepare
from harness.load.client import LocustClient
from harness.report.console import say
from harness.run.runner import CaseRunner
from harness.run.turns import Turns
from harness.runtimes.spec import declared_runtimes
from harness.store.history import HistoryWriter
from harness.verdict import Tally

SCRIPT = Path(__file__).with_name("tiny.wsgi")


@click.command()
@click.option("--trials", type=click.IntRange(100, 1_000_000), default=5000, show_default=True)
@click.option("--runtime", "name", default="django52", show_default=True)
@keep_option
def main(trials: int, name: str, keep: Path | None) -> None:
    """Print resident memory after each tenth of the trials, and its growth since the first."""
    runtime = prepare(name, declared_runtimes()[name], say)
    parallel = os.cpu_count() or 1
    case = script_case(SCRIPT, trials=trials)
    host = LocalHost(case, runtime, parallel=parallel)
    process = psutil.Process()
    seen: list[int] = []
    table = Table("trials", "effective", "MiB", title="resident memory of the harness")

    def watch(_: Case, tally: Tally) -> None:
        if tally.trials >= (len(seen) + 1) * trials // 10:
            seen.append(process.memory_info().rss)
            table.add_row(str(tally.trials), str(tally.effective), f"{seen[-1] / 2**20:.1f}")

    with (
        tempfile.TemporaryDirectory() as directory,
        LocustClient(case.users * parallel, Path(directory) / "locust.log") as locust,
        host,
        HistoryWriter(Path(directory) / "history.jsonl", case) as history,
    ):
        Turns([CaseRunner(case, host, locust, history)], host, parallel, watch).run()
        size = (Path(directory) / "history.jsonl").stat().st_size
    show(table, keep=keep)
    click.echo(
        f"from the first tenth to the last: {(seen[-1] - seen[0]) / 2**20:+.1f} MiB; history {size / 2**20:.0f} MiB"
    )


if __name__ == "__main__":
    main()
