"""How often a bad trial of the snapshot lane fails again: by its seed, and with the order of its threads enforced.

    python -m benchmarks.replay_rate

For each race bad perturbed trials are looked for; each is done again as `harness replay` does it. What
counts is a failure of the same class. Beside it stands how often any trial with another seed fails so.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from benchmarks.time_to_detection import runnable
from harness.cases.case import Case
from harness.records import ThreadOrder
from harness.runtimes.building import Runtime
from harness.search import replay
from harness.search.explorer import explore_case
from harness.store.stored_case import StoredCase

RACES = ("settings-window-3.13", "circular-import", "flag-before-work", "cached-loader", "translation-fallback")


def attempt(case: Case, runtime: Runtime, told: replay.ReplayTarget, where: Path, order: ThreadOrder) -> replay.Attempt:
    """The case so many times, led like that order."""
    path = where / f"{len(list(where.iterdir()))}.jsonl"
    explore_case(case, runtime, path, 1, lambda *_: None, order)
    return replay.attempted(StoredCase(path), told.race_class)


def look(case: Case, runtime: Runtime, where: Path, wanted: int) -> tuple[list[replay.ReplayTarget], int, int]:
    """Bad trials of that case, how many there were among how many."""
    path = where / "search.jsonl"
    explore_case(case, runtime, path, 2, lambda *_: None)
    found = []
    stored = StoredCase(path)
    for trial, graded in stored.bad():
        kind = replay.gravest(graded)
        if case.expectation and case.expectation.race_class in (None, kind):
            (inside, *_) = trial.evidence.inside
            found.append(replay.ReplayTarget(case, trial.number, kind, inside.strategy, inside.seed, trial.order))
    return found[:wanted], len(found), sum(1 for _ in stored.trials())


@click.command()
@click.option("--race", "races", multiple=True, default=RACES, help="a scenario; repeatable")
@click.option("--trials", type=click.IntRange(2), default=60, show_default=True, help="of the search, a race")
@click.option("--bad", "wanted", type=click.IntRange(1), default=4, show_default=True, help="bad trials to do again")
@click.option("--times", type=click.IntRange(1), default=10, show_default=True, help="how often each is done again")
@keep_option
def main(races: tuple[str, ...], trials: int, wanted: int, times: int, keep: Path | None) -> None:
    """Print how many of the repetitions failed as the first one did."""
    table = Table("race", "any seed", "its seed", "its order", "order by line", "steps followed", title="failed again")
    for race, declared, runtime in runnable(races, "perturbed"):
        case = declared.model_copy(update={"trials": trials})
        with tempfile.TemporaryDirectory() as directory:
            where = Path(directory)
            found, bad, total = look(case, runtime, where, wanted)
            sums = {"seed": [0, 0], "its own": [0, 0], "by line": [0, 0]}
            followed = []
            for told in found:
                again = replay.again(told, times)
                by_seed = attempt(again, runtime, told, where, replay.by_seed(told))
                _count(sums["seed"], by_seed)
                for name, order in replay.orders(told, by_seed):
                    done = attempt(again, runtime, told, where, order)
                    _count(sums["its own" if order is told.order else "by line"], done)
                    if order is not told.order and done.followed is not None:
                        followed.append(done.followed)
                    click.echo(f"{race}, trial {told.number} ({told.strategy}): {done} with {name}", err=True)
        cells = [f"{failed} of {tried}" if tried else "-" for failed, tried in sums.values()]
        share = f"{sum(followed) / len(followed):.0%}" if followed else "-"
        table.add_row(race, f"{bad} of {total}", *cells, share)
    show(table, keep=keep)


def _count(sums: list[int], done: replay.Attempt) -> None:
    sums[0] += done.failed
    sums[1] += done.trials


if __name__ == "__main__":
    sys.exit(main())
