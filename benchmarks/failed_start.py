"""What becomes of a process whose start failed: what its requests get, and when a sound process answers again.

    python -m benchmarks.failed_start

The site is poisoned_registry: its back end refuses the first process that connects, and no other. Each trial is a cold
process, ten first requests at one moment, and then single ones until one gets the right answer.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.cases.script import script_case
from harness.hosting.local import LocalHost
from harness.hosting.preparing import ServerRuntime, prepare
from harness.hosting.slot import ColdSlot
from harness.load.client import LocustClient
from harness.records import Mode
from harness.report.console import say
from harness.runtimes.spec import declared_runtimes

SCRIPTS = Path("sites/poisoned_registry/scripts")
CASES: tuple[tuple[str, Mode], ...] = (
    ("default", "daemon"),
    ("bootstrap", "daemon"),
    ("default", "embedded"),
    ("bootstrap", "embedded"),
    ("bootstrap_ends", "embedded"),
)
REQUESTS = 10  # fewer than the 15 threads of a process: none has to queue
# Trials at a time: they mostly wait.
PARALLEL = 3
PAUSE_SECONDS = 0.1
# Apache replaces a process that has ended within about four.
GIVE_UP_SECONDS = 5.0
# A request that is open for longer counts as dropped.
ANSWER_SECONDS = 30.0
POISONED = "isn't reentrant"


@dataclass
class Outcome:
    """The trials of one script in one mode."""

    trials: int = 0
    failed_starts: int = 0
    poisoned: int = 0
    """Trials in which a half-built registry was entered again."""
    first: Counter[str] = field(default_factory=Counter)
    """Statuses of the first requests; "dropped": no answer, or the 502 of a process that is gone."""
    recovered: list[float] = field(default_factory=list)
    """Seconds from the first request to the first good answer."""

    def add(self, other: Outcome) -> None:
        self.trials += other.trials
        self.failed_starts += other.failed_starts
        self.poisoned += other.poisoned
        self.first += other.first
        self.recovered += other.recovered


def statuses(locust: LocustClient, host: LocalHost, slot: ColdSlot, requests: int) -> list[str]:
    order = locust.order(slot.address, host.case.requests, [0] * requests, [slot.headers] * requests)
    answers = order.wait(ANSWER_SECONDS) or order.abandon()
    return [str(answer.status) if answer.status not in (None, 502) else "dropped" for answer in answers]


def trial(locust: LocustClient, host: LocalHost, flag: Path, outcome: Outcome) -> None:
    """One process whose start fails."""
    with host.cold() as slot:
        with contextlib.suppress(FileNotFoundError):
            flag.unlink()
        slot.watch()
        begin = time.monotonic()
        first = statuses(locust, host, slot, REQUESTS)
        outcome.trials += 1
        outcome.failed_starts += flag.exists()
        outcome.first.update(first)
        good = "200" in first
        while not good and time.monotonic() - begin < GIVE_UP_SECONDS:
            time.sleep(PAUSE_SECONDS)
            good = statuses(locust, host, slot, 1) == ["200"]
        if good:
            outcome.recovered.append(time.monotonic() - begin)
        log = slot.collect(begin, answered=True).log
        outcome.poisoned += any(POISONED in line.text for line in log)


def measure(script: str, mode: Mode, runtime: ServerRuntime, trials: int) -> Outcome:
    """Trials of one script in one mode, PARALLEL at a time, each on a server and with a back end of its own."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        top = Path(directory)
        top.chmod(0o755)
        locust = stack.enter_context(LocustClient(REQUESTS * PARALLEL, top / "locust.log"))
        places = []
        for number in range(PARALLEL):
            flag = top / str(number) / "down-once"
            flag.parent.mkdir()
            flag.parent.chmod(0o777)  # the server's user makes the file
            case = script_case(SCRIPTS / f"{script}.wsgi", mode=mode, environment={"STOCK_DOWN_ONCE": str(flag)})
            places.append((stack.enter_context(LocalHost(case, runtime, slots=2)), flag))

        def run_share(place: tuple[LocalHost, Path], share: int) -> Outcome:
            own = Outcome()
            for _ in range(share):
                trial(locust, *place, own)
            return own

        shares = [trials // PARALLEL + (number < trials % PARALLEL) for number in range(PARALLEL)]
        with ThreadPoolExecutor(PARALLEL) as pool:
            for part in pool.map(run_share, places, shares):
                outcome.add(part)
    return outcome


@click.command()
@click.option("--trials", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--runtime", "name", default="django52", show_default=True)
@click.option("--only", multiple=True, help="SCRIPT:MODE; repeatable")
@keep_option
def main(trials: int, name: str, only: tuple[str, ...], keep: Path | None) -> None:
    """Print the answers to first requests, and whether and when the site recovered."""
    runtime = prepare(name, declared_runtimes()[name], say)
    columns = [
        "script",
        "mode",
        "failed starts",
        "poisoned",
        "first requests: answers",
        "recovered",
        "after, s (median)",
    ]
    table = Table(*columns, title=f"{REQUESTS} first requests to a process whose start fails")
    for script, mode in CASES:
        if only and f"{script}:{mode}" not in only:
            continue
        outcome = measure(script, mode, runtime, trials)
        answers = ", ".join(f"{count} x {status}" for status, count in sorted(outcome.first.items()))
        after = f"{statistics.median(outcome.recovered):.1f}" if outcome.recovered else "-"
        recovered = f"{len(outcome.recovered)} of {outcome.trials}"
        table.add_row(script, mode, str(outcome.failed_starts), str(outcome.poisoned), answers, recovered, after)
    show(table, keep=keep, width=130)


if __name__ == "__main__":
    main()
