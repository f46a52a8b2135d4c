"""How often a bad trial of the snapshot lane fails again: by its seed, and with the order of its threads enforced.

    python -m benchmarks.replay_rate

For each race the benchmark looks for bad perturbed trials and repeats them as `harness replay` does. A failure of the
same class counts. Beside it stands how often a trial with any other seed fails.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Search:
    """Bad trials to repeat; how many were bad, of how many."""

    targets: list[replay.ReplayTarget]
    bad: int
    trials: int


def attempt(
    case: Case, runtime: Runtime, target: replay.ReplayTarget, where: Path, order: ThreadOrder
) -> replay.Attempt:
    """All trials of the case, with that order of threads."""
    path = where / f"{len(list(where.iterdir()))}.jsonl"
    explore_case(case, runtime, path, 1, lambda *_: None, order)
    return replay.attempted(StoredCase(path), target.race_class)


def search(case: Case, runtime: Runtime, where: Path, wanted: int) -> Search:
    """Look for bad trials of that case."""
    path = where / "search.jsonl"
    explore_case(case, runtime, path, 2, lambda *_: None)
    targets = []
    stored = StoredCase(path)
    for trial, graded in stored.bad():
        kind = replay.gravest(graded)
        if case.expectation and case.expectation.race_class in (None, kind):
            (inside, *_) = trial.evidence.inside
            targets.append(replay.ReplayTarget(case, trial.number, kind, inside.strategy, inside.seed, trial.order))
    return Search(targets[:wanted], len(targets), sum(1 for _ in stored.trials()))


@click.command()
@click.option("--race", "races", multiple=True, default=RACES, help="a scenario; repeatable")
@click.option("--trials", type=click.IntRange(2), default=60, show_default=True, help="of the search, a race")
@click.option("--bad", "wanted", type=click.IntRange(1), default=4, show_default=True, help="bad trials to repeat")
@click.option("--times", type=click.IntRange(1), default=10, show_default=True, help="repetitions of each")
@keep_option
def main(races: tuple[str, ...], trials: int, wanted: int, times: int, keep: Path | None) -> None:
    """Print how many repetitions failed as the first trial did."""
    table = Table("race", "any seed", "its seed", "its order", "order by line", "steps followed", title="failed again")
    for race, declared, runtime in runnable(races, "perturbed"):
        case = declared.model_copy(update={"trials": trials})
        with tempfile.TemporaryDirectory() as directory:
            where = Path(directory)
            search_result = search(case, runtime, where, wanted)
            sums = {"seed": [0, 0], "its own": [0, 0], "by line": [0, 0]}
            followed = []
            for target in search_result.targets:
                again = replay.again(target, times)
                by_seed = attempt(again, runtime, target, where, replay.by_seed(target))
                _count(sums["seed"], by_seed)
                for name, order in replay.orders(target, by_seed):
                    done = attempt(again, runtime, target, where, order)
                    _count(sums["its own" if order is target.order else "by line"], done)
                    if order is not target.order and done.followed is not None:
                        followed.append(done.followed)
                    click.echo(f"{race}, trial {target.number} ({target.strategy}): {done} with {name}", err=True)
        cells = [f"{failed} of {tried}" if tried else "-" for failed, tried in sums.values()]
        share = f"{sum(followed) / len(followed):.0%}" if followed else "-"
        table.add_row(race, f"{search_result.bad} of {search_result.trials}", *cells, share)
    show(table, keep=keep)


def _count(sums: list[int], done: replay.Attempt) -> None:
    sums[0] += done.failed
    sums[1] += done.trials


if __name__ == "__main__":
    sys.exit(main())
