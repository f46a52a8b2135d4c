"""Time to detection: what people do today and the lanes of the harness, on known races, in one run.

    python -m benchmarks.time_to_detection

What people use today sees HTTP statuses: a 5xx, or no answer within ten seconds (wrk: within the one second that it
runs), after a restart that waits for the new process. The lanes see what the scenario declares as its race, by its
class. The clock starts when the server is up (the snapshot lane's when it has imported the script), includes the
controls of a lane, and stops at the first sight; *restarts* is the number of cold processes until then. A cell that
finds nothing within the cap says so: that is a result too.
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
NO_ANSWER_SECONDS = 10  # nobody waits longer for a page
HERE = Path(__file__).parent
Fire = Callable[[Case, ColdSlot], bool]


@dataclass(frozen=True)
class Cell:
    """One way on one race: seconds to the first sight, None where there was none, and cold processes used."""

    seconds: float | None
    restarts: int


class EndOfCell(Exception):
    """Raised to end a run: the race has been seen, or the cap is reached."""


# -- what people do today -----------------------------------------------------------------------------------


def plain_loop(case: Case, runtime: ServerRuntime, cap: float, fire: Fire) -> Cell:
    """Restart, wait, fire, look at the statuses, until the race is seen or the cap is reached."""
    plain = case.model_copy(update={"black_box": True, "schedule": "natural"})
    with LocalHost(plain, runtime, slots=1, parallel=1) as host:
        begin = time.monotonic()
        for restarts in count(1):
            with host.cold() as slot:
                is_seen = fire(case, slot)
            passed = time.monotonic() - begin
            if is_seen or passed >= cap:
                return Cell(passed if is_seen else None, restarts)
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
    statuses = [process.communicate()[0] for process in running]
    return any(status == "000" or status >= "500" for status in statuses)


def wrk(case: Case, slot: ColdSlot) -> bool:
    """As many connections, for the shortest time wrk can run."""
    headers = [word for name, value in slot.headers.items() for word in ("-H", f"{name}: {value}")]
    output = subprocess.run(
        [
            "wrk", "-t", "1", "-c", str(case.users), "-d", "1s", "--timeout", f"{NO_ANSWER_SECONDS}s", *headers,
            "-s", str(HERE / "paths.lua"), f"http://127.0.0.1:{slot.address[1]}", "--",
            *(request.path for request in case.requests),
        ],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    silent = re.search(r"timeout [1-9]|\b0 requests in", output)
    return bool(silent) or "Non-2xx or 3xx" in output


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
            "paths": [request.path for request in case.requests],
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
        is_seen = bool(tally.races[wanted] if wanted else tally.races)
        if is_seen or passed >= cap:
            seen.append(Cell(passed if is_seen else None, tally.trials))
            raise EndOfCell

    return watch


def apache_lane(case: Case, runtime: ServerRuntime, cap: float, directory: Path) -> Cell:
    """The Apache lane, as `harness run` uses it."""
    seen: list[Cell] = []
    parallel = os.cpu_count() or 1
    host = LocalHost(case, runtime, parallel=parallel)
    with (
        LocustClient(case.users * parallel, directory / "locust.log") as locust,
        host,
        HistoryWriter(directory / f"{time.monotonic_ns()}.jsonl", case) as history,
        contextlib.suppress(EndOfCell),
    ):
        Turns([CaseRunner(case, host, locust, history)], host, parallel, watcher(case, cap, seen)).run()
    return seen[0]


def snapshot_lane(case: Case, runtime: ServerRuntime, cap: float, directory: Path) -> Cell:
    """The snapshot lane, as `harness explore` uses it."""
    seen: list[Cell] = []
    with HistoryWriter(directory / f"{time.monotonic_ns()}.jsonl", case) as history, contextlib.suppress(EndOfCell):
        Explorer(case, runtime, history).run(os.cpu_count() or 1, watcher(case, cap, seen))
    return min(seen, key=lambda cell: cell.seconds or cap)


# -- the table ----------------------------------------------------------------------------------------------


def case_of(name: str, schedule: Schedule) -> Case:
    """The daemon mode case of a scenario, in this schedule whether declared or not, with trials until it is ended."""
    path = next(Path("scenarios").rglob(f"{name}.toml"))
    cases = [case for case in expand(load_scenario(path), path, Path("sites")) if case.mode == "daemon"]
    declared = {case.schedule: case for case in cases if case.expectation and "race" in case.expectation.verdicts}
    # The class that the perturbed case shows is the one to look for in every way.
    chosen = declared.get("perturbed") or declared["natural"]
    return chosen.model_copy(update={"schedule": schedule, "trials": 100_000, "full": True})


def runnable(races: Iterable[str], schedule: Schedule) -> Iterator[tuple[str, Case, ServerRuntime]]:
    """Each race, its case and its runtime; one whose runtime is missing is skipped with a message."""
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
    columns: dict[str, Way] = {
        name: lambda race, runtime, cap, _, fire=fire: plain_loop(case_of(race, "natural"), runtime, cap, fire)  # type: ignore[misc]
        for name, fire in plain.items()
    }
    schedules: tuple[Schedule, ...] = ("natural", "perturbed")
    for lane, run in (("Apache", apache_lane), ("snapshot", snapshot_lane)):
        for schedule in schedules:
            columns[f"{lane}, {schedule}"] = lambda race, runtime, cap, where, run=run, schedule=schedule: run(  # type: ignore[misc]
                case_of(race, schedule), runtime, cap, where
            )
    return columns


def median(cells: list[Cell]) -> Cell:
    """The median of rounds; \"not found\" where most rounds found nothing."""
    seconds = sorted(cell.seconds if cell.seconds is not None else float("inf") for cell in cells)
    middle = seconds[len(seconds) // 2]
    restarts = round(statistics.median(cell.restarts for cell in cells))
    return Cell(None if middle == float("inf") else middle, restarts)


def text_of(cell: Cell) -> str:
    return "not found" if cell.seconds is None else f"{cell.seconds:.2f} s, {cell.restarts}"


@click.command()
@click.option("--race", "races", multiple=True, default=RACES, help="a scenario; repeatable")
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--cap", type=click.FloatRange(1, 3600), default=60, show_default=True, help="seconds of a cell")
@click.option("--keep", type=click.Path(path_type=Path), help="write the cells of every round here, as lines of JSON")
def main(races: tuple[str, ...], rounds: int, cap: float, keep: Path | None) -> None:
    """Print seconds and restarts to the first sight, and how many times faster the best lane is."""
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
                        continue  # another round up to the cap would add nothing
                    cells[name].append(way(race, runtime, cap, Path(directory)))
                    line = {"race": race, "way": name, **asdict(cells[name][-1])}
                    kept.write(json.dumps(line) + "\n")
                    click.echo(f"{race}, {name}, round {number + 1}: {text_of(cells[name][-1])}", err=True)
            medians = {name: median(some) for name, some in cells.items()}
            before = min((medians[name].seconds or float("inf") for name in today), default=float("inf"))
            lane = min(cell.seconds or float("inf") for name, cell in medians.items() if name not in today)
            ratio = "-" if lane == float("inf") else "only ours" if before == float("inf") else f"{before / lane:.1f}"
            table.add_row(race, *(text_of(cell) for cell in medians.values()), ratio)
    Console(width=190).print(table)


if __name__ == "__main__":
    sys.exit(main())
