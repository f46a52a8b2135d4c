"""What parallel trials cost in power: the snapshot lane on races of microseconds, one trial at a time and more.

    python -m benchmarks.crowding

Threads that are to meet within microseconds need a core each. With more trials at a time there are more of them a
second, and fewer show such a race.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from benchmarks.time_to_detection import runnable
from harness.search.explorer import explore_case

RACES = ("translation-fallback", "cached-loader")


@click.command()
@click.option("--race", "races", multiple=True, default=RACES, help="a scenario; repeatable")
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--trials", type=click.IntRange(10), default=60, show_default=True, help="of a round")
@keep_option
def main(races: tuple[str, ...], rounds: int, trials: int, keep: Path | None) -> None:
    """Print bad trials and trials a second by the number of trials at a time; the numbers take turns."""
    table = Table("race", "trials at a time", "bad of effective", "trials/s", "bad/s", title="the snapshot lane")
    for race, declared, runtime in runnable(races, "natural"):
        case = declared.model_copy(update={"trials": trials})
        sums = {parallel: [0, 0, 0.0] for parallel in range(1, (os.cpu_count() or 1) + 2)}
        for _ in range(rounds):
            for parallel, so_far in sums.items():
                with tempfile.TemporaryDirectory() as directory:
                    path = Path(directory) / "history.jsonl"
                    tally, seconds = explore_case(case, runtime, path, parallel, lambda *_: None)
                new = (tally.bad, tally.effective, seconds)
                sums[parallel] = [sum(pair) for pair in zip(so_far, new, strict=True)]
        for parallel, (bad, effective, seconds) in sums.items():
            rates = (f"{effective / seconds:.1f}", f"{bad / seconds:.1f}")
            table.add_row(race, str(parallel), f"{bad} of {effective}", *rates)
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
