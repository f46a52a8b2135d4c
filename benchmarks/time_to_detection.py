"""How long until a race is seen: what people do today, and the lanes of the harness, on known races, in one run.

    python -m benchmarks.time_to_detection

Today's ways see HTTP statuses: a 5xx, or no answer within ten seconds (wrk: within the one second that it runs), after
a restart that waits until the new process is there. The lanes see what the scenario declares as its race, by its class.
The clock begins when the server is up (the snapshot lane's when it has imported the script), runs through the controls
of a lane, and stops at the first sight; *restarts* are the cold processes that took. A cell that finds nothing within
the cap says so: that is a result too.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from harness.cases.case import Case
from harness.cases.expand import expand
from harness.cases.scenario import load_scenario
from harness.errors import MissingRuntime
from harness.hosting.local import LocalHost
from harness.hosting.preparing import Runtimes, ServerRuntime
from harness.hosting.slot import ColdSlot
from harness.load.client import LocustClient
from harness.records import Schedule
from harness.report.console import say
from harness.run.runner import CaseRunner
from harness.run.turns import Turns, Watch
from harness.runtimes.spec import declared_runtimes
from harness.search.explorer import Explorer
from harness.store.history import HistoryWriter
from harness.verdict import Tally

RACES = (
    "circular-import",
    "cached-loader",
    "appcache-deadlock",
    "translation-fallback",
    "translation-fallback-1.1",
    "settings-window-3.13",
    "umask-leak",
)
NO_ANSWER_SECONDS = 10
HERE = Path(__file__).parent
Fire = Callable[[Case, ColdSlot], bool]


@dataclass(frozen=True)
class Cell:
    """What one way came to on one race: seconds to the first sight, None where there was none; cold processes used."""

    seconds: float | None
    restarts: int


class Found(Exception):
    """The race has been seen, or the cap is reached."""


# -- what people do today -----------------------------------------------------------------------------------


def plain_loop(case: Case, runtime: ServerRuntime, cap: float, fire: Fire) -> Cell:
    """Restart, wait, fire, look at the statuses; again and again."""
    plain = case.model_copy(update={"black_box": True, "schedule": "natural"})
    with LocalHost(plain, runtime, slots=1, flights=1) as host:
        begin = time.monotonic()
        for restarts in count(1):
            with host.cold() as slot:
                found = fire(case, slot)
            passed = time.monotonic() - begin
            if found or passed >= cap:
                return Cell(passed if found else None, restarts)
    raise AssertionError("count() does not end")


def curl(case: Case, slot: ColdSlot) -> bool:
    """As many curls at once as the scenario has users."""
    address = f"http://127.0.0.1:{slot.address[1]}"
    headers = [word for name, value in slot.headers.items() for word in ("-H", f"{name}: {value}")]
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-m", str(NO_ANSWER_SECONDS), *headers]
    running = [
        subprocess.Popen([*command, address + case.requests[index].path], stdout=subprocess.PIPE, text=True)
        for index in case.requests_of_stampede()
    ]
    statuses = [each.communicate()[0] for each in running]
    return any(status == "000" or status >= "500" for status in statuses)


def wrk(case: Case, slot: ColdSlot) -> bool:
    """As many connections, for the shortest time wrk can run."""
    headers = [word for name, value in slot.headers.items() for word in ("-H", f"{name}: {value}")]
    told = subprocess.run(
        [
            "wrk", "-t", "1", "-c", str(case.users), "-d", "1s", "--timeout", f"{NO_ANSWER_SECONDS}s", *headers,
            "-s", str(HERE / "paths.lua"), f"http://127.0.0.1:{slot.address[1]}", "--",
            *(each.path for each in case.requests),
        ],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    silent = re.search(r"timeout [1-9]|\b0 requests in", told)
    return bool(silent) or "Non-2xx or 3xx" in told


@contextlib.contextmanager
def plain_locust() -> Iterator[Fire]:
    """One Locust process for all restarts."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.plain_locust"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=None, text=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None

    def fire(case: Case, slot: ColdSlot) -> bool:
        order: dict[str, Any] = {
            "host": f"http://127.0.0.1:{slot.address[1]}",
            "headers": slot.headers,
            "paths": [each.path for each in case.requests],
            "users": case.users,
            "seconds": NO_ANSWER_SECONDS,
        }
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.flush()
        statuses = {int(status): times for status, times in json.loads(process.stdout.readline()).items()}
        return any(times and (status == 0 or status >= 500) for status, times in statuses.items())

    try:
        yield fire
    finally:
        process.stdin.close()
        process.wait(30)


# -- the lanes of the harness -------------------------------------------------------------------------------


def watcher(case: Case, cap: float, seen: list[Cell]) -> Watch:
    """Ends a run when its tally has the race that the scenario declares, or at the cap."""
    wanted = case.expectation.race_class if case.expectation else None

    def watch(_: Case, tally: Tally) -> None:
        passed = time.monotonic() - tally.begin
        found = bool(tally.races[wanted] if wanted else tally.races)
        if found or passed >= cap:
            seen.append(Cell(passed if found else None, tally.trials))
            raise Found

    return watch


def apache_lane(case: Case, runtime: ServerRuntime, cap: float, directory: Path) -> Cell:
    """The Apache lane, as `harness run` uses it."""
    seen: list[Cell] = []
    flights = os.cpu_count() or 1
    host = LocalHost(case, runtime, flights=flights)
    with (
        LocustClient(case.users * flights, directory / "locust.log") as locust,
        host,
        HistoryWriter(directory / f"{time.monotonic_ns()}.jsonl", case) as history,
        contextlib.suppress(Found),
    ):
        Turns([CaseRunner(case, host, locust, history)], host, flights, watcher(case, cap, seen)).run()
    return seen[0]


def snapshot_lane(case: Case, runtime: ServerRuntime, cap: float, directory: Path) -> Cell:
    """The snapshot lane, as `harness explore` uses it."""
    seen: list[Cell] = []
    with HistoryWriter(directory / f"{time.monotonic_ns()}.jsonl", case) as history, contextlib.suppress(Found):
        Explorer(case, runtime, history).run(os.cpu_count() or 1, watcher(case, cap, seen))
    return min(seen, key=lambda each: each.seconds or cap)


# -- the table ----------------------------------------------------------------------------------------------


def case_of(name: str, schedule: Schedule) -> Case:
    """The daemon mode case of a scenario, in this schedule whether it declares it or not. Runs until it is told."""
    path = next(Path("scenarios").rglob(f"{name}.toml"))
    cases = [each for each in expand(load_scenario(path), path, Path("sites")) if each.mode == "daemon"]
    declared = {each.schedule: each for each in cases if each.expectation and "race" in each.expectation.verdicts}
    # The class that the disturbed threads show is the one that anybody can look for.
    chosen = declared.get("perturbed") or declared["natural"]
    return chosen.model_copy(update={"schedule": schedule, "trials": 100_000, "full": True})


def runnable(races: Iterable[str], schedule: Schedule) -> Iterator[tuple[str, Case, ServerRuntime]]:
    """Each race, its case and its runtime; one whose runtime is missing is skipped, and said to be."""
    known = Runtimes(declared_runtimes(), say)
    for race in races:
        case = case_of(race, schedule)
        try:
            runtime = known.get(case.runtime)
        except MissingRuntime as error:
            click.echo(f"{race}: skipped: {error}", err=True)
            continue
        yield race, case, runtime


Way = Callable[[str, ServerRuntime, float, Path], Cell]


def ways(locust: Fire) -> dict[str, Way]:
    """Every column of the table."""
    plain: dict[str, Fire] = {"curl": curl, "Locust": locust, "wrk": wrk}
    if shutil.which("wrk") is None:
        del plain["wrk"]
    found: dict[str, Way] = {
        name: lambda race, runtime, cap, _, fire=fire: plain_loop(case_of(race, "natural"), runtime, cap, fire)  # type: ignore[misc]
        for name, fire in plain.items()
    }
    schedules: tuple[Schedule, ...] = ("natural", "perturbed")
    for lane, run in (("Apache", apache_lane), ("snapshot", snapshot_lane)):
        for schedule in schedules:
            found[f"{lane}, {schedule}"] = lambda race, runtime, cap, where, run=run, schedule=schedule: run(  # type: ignore[misc]
                case_of(race, schedule), runtime, cap, where
            )
    return found


def median(cells: list[Cell]) -> Cell:
    """The median of rounds; not found where that is what most came to."""
    found = sorted(each.seconds if each.seconds is not None else float("inf") for each in cells)
    middle = found[len(found) // 2]
    restarts = round(statistics.median(each.restarts for each in cells))
    return Cell(None if middle == float("inf") else middle, restarts)


def shown(cell: Cell) -> str:
    return "not found" if cell.seconds is None else f"{cell.seconds:.2f} s, {cell.restarts}"


@click.command()
@click.option("--race", "races", multiple=True, default=RACES, help="a scenario; repeatable")
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--cap", type=click.FloatRange(1, 3600), default=60, show_default=True, help="seconds of a cell")
@click.option("--keep", type=click.Path(path_type=Path), help="write each cell of each round here, a line of JSON each")
def main(races: tuple[str, ...], rounds: int, cap: float, keep: Path | None) -> None:
    """Print seconds and restarts to the first sight, and how many times sooner the best lane is."""
    if shutil.which("wrk") is None:
        click.echo("wrk is not installed (apt-get install wrk): its column is left out", err=True)
    with (
        plain_locust() as locust,
        tempfile.TemporaryDirectory() as directory,
        (keep or Path(os.devnull)).open("w") as kept,
    ):
        columns = ways(locust)
        today = [name for name in columns if "," not in name]
        table = Table("race", *columns, "best of today's : best lane", title="seconds and restarts to the first sight")
        for race, _, runtime in runnable(races, "natural"):
            cells: dict[str, list[Cell]] = {name: [] for name in columns}
            for number in range(rounds):
                for name, way in columns.items():
                    if number and cells[name][0].seconds is None:
                        continue  # a second round at the cap would tell no more
                    cells[name].append(way(race, runtime, cap, Path(directory)))
                    line = {"race": race, "way": name, **asdict(cells[name][-1])}
                    kept.write(json.dumps(line) + "\n")
                    click.echo(f"{race}, {name}, round {number + 1}: {shown(cells[name][-1])}", err=True)
            best = {name: median(each) for name, each in cells.items()}
            before = min((best[name].seconds or float("inf") for name in today), default=float("inf"))
            lane = min(each.seconds or float("inf") for name, each in best.items() if name not in today)
            ratio = "-" if lane == float("inf") else "only ours" if before == float("inf") else f"{before / lane:.1f}"
            table.add_row(race, *(shown(each) for each in best.values()), ratio)
    Console(width=190).print(table)


if __name__ == "__main__":
    sys.exit(main())
