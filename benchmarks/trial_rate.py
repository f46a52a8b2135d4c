"""Effective cold trials a second: the harness, the floor and a plain restart loop, side by side.

    python -m benchmarks.trial_rate
    python -m benchmarks.trial_rate --against REV

The harness runs as it always does: probe on, 15 users, history written, every trial graded. The *floor* is the least
that any cold start can cost: `benchmarks/floor.py`, as many at a time as there are cores. The *plain loop* is what
people do today: kill the process, wait for its successor, N parallel `curl`.

With --against only the harness is measured, of the working tree and of the other revision: see benchmarks/against.py.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import click
import psutil
from rich.table import Table

from benchmarks.against import Measurement, Quantity, against_options, compare
from benchmarks.tables import keep_option, show
from harness import proc
from harness.cases.case import Case
from harness.cases.script import script_case
from harness.errors import InfrastructureError
from harness.hosting.local import LocalHost
from harness.hosting.preparing import ServerRuntime, prepare
from harness.load.client import LocustClient
from harness.records import Mode
from harness.report.console import say
from harness.run.runner import CaseRunner
from harness.run.turns import Turns
from harness.runtimes.spec import declared_runtimes
from harness.store.history import HistoryWriter
from harness.verdict import Tally

USERS = 15  # as many as a process has threads
WARM_UP = 6  # trials: the first ones wait for the servers
TRIALS = 80
TRIALS_AGAINST = 40  # of each of 48 measurements, which take a quarter of an hour together
QUANTITIES = (Quantity("rate", "effective trials a second", is_rate=True),)
HERE = Path(__file__).parent


@dataclass
class Cpu:
    """CPU seconds by part."""

    interpreters: float = 0.0
    httpd: float = 0.0
    locust: float = 0.0
    harness: float = 0.0

    def less(self, other: Cpu) -> Cpu:
        return Cpu(
            self.interpreters - other.interpreters,
            self.httpd - other.httpd,
            self.locust - other.locust,
            self.harness - other.harness,
        )


@dataclass
class HarnessRate:
    """Effective trials a second of the harness, how many they were, and the CPU time that they took."""

    rate: float
    effective: int
    cpu: Cpu


@dataclass
class Round:
    """One round of a mode: cold trials a second of each contender, and where the CPU time of the harness' went."""

    harness: float
    floor: float
    plain: float
    effective: int
    cpu: Cpu


@dataclass
class Meter:
    """Notes time and CPU use after the warm-up, and near the end."""

    host: LocalHost
    locust: LocustClient
    case: Case
    marks: list[tuple[float, int, Cpu]] = field(default_factory=list)

    def watch(self, _: Case, tally: Tally) -> None:
        if tally.trials >= WARM_UP and not self.marks:
            self._mark(tally)
        elif tally.trials >= self.case.trials - 2 and len(self.marks) == 1:
            self._mark(tally)  # the last ones have no others beside them

    def _mark(self, tally: Tally) -> None:
        self.marks.append((time.monotonic(), tally.effective, self._cpu()))

    def _cpu(self) -> Cpu:
        cpu = Cpu(locust=_seconds(psutil.Process(self.locust.pid)), harness=_seconds(psutil.Process()))
        for pid in self.host.server_pids():
            parent = psutil.Process(pid)
            times = parent.cpu_times()
            cpu.httpd += times.user + times.system
            # The interpreters that were killed: all were reaped by the parent httpd.
            cpu.interpreters += times.children_user + times.children_system
            if self.case.mode == "daemon":  # the front end, httpd's own child, is not killed
                front = [child for child in proc.children(pid) if not proc.title(child).startswith("wsgi:")]
                cpu.httpd += sum(proc.cpu_seconds(process) or 0 for process in map(proc.identify, front) if process)
        return cpu


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure_harness(case: Case, runtime: ServerRuntime, directory: Path) -> HarnessRate:
    """The rate after the first few trials."""
    parallel = os.cpu_count() or 1
    host = LocalHost(case, runtime, parallel=parallel)
    with (
        LocustClient(USERS * parallel, directory / "locust.log") as locust,
        host,
        HistoryWriter(directory / f"{case.mode}-{time.monotonic_ns()}.jsonl", case) as history,
    ):
        meter = Meter(host, locust, case)
        Turns([CaseRunner(case, host, locust, history)], host, parallel, meter.watch).run()
    (begin, before, cpu_before), (end, after, cpu_after) = meter.marks
    return HarnessRate((after - before) / (end - begin), after - before, cpu_after.less(cpu_before))


def measure_floor(script: Path, runtime: ServerRuntime, trials: int, at_a_time: int) -> float:
    """Bare cold starts a second. Raises InfrastructureError where the script does not answer."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPYCACHEPREFIX": str(runtime.bytecode),
        **runtime.environment,
    }
    command = [str(runtime.python), str(HERE / "floor.py"), str(script), str(USERS)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    if start().wait():  # compiles what is not compiled yet
        raise InfrastructureError("benchmarks/floor.py got a wrong answer from the script")
    begin, left, running = time.monotonic(), trials, [start() for _ in range(at_a_time)]
    left -= at_a_time
    while running:
        running[0].wait()
        for process in [process for process in running if process.poll() is not None]:
            running.remove(process)
            if left > 0:
                running.append(start())
                left -= 1
    return trials / (time.monotonic() - begin)


def measure_plain(case: Case, runtime: ServerRuntime, trials: int) -> float:
    """Cold starts a second of a plain loop: kill, wait, N parallel curl."""
    plain = case.model_copy(update={"black_box": True})
    host = LocalHost(plain, runtime, slots=1, parallel=1)
    with host:
        begin = time.monotonic()
        for trial in range(trials + 1):
            if trial == 1:
                begin = time.monotonic()  # the first process is started with httpd itself
            with host.cold() as slot:
                url = f"http://127.0.0.1:{slot.address[1]}/"
                header = [word for name, value in slot.headers.items() for word in ("-H", f"{name}: {value}")]
                running = [
                    subprocess.Popen(["curl", "-s", "-o", "/dev/null", "-m", "60", *header, url]) for _ in range(USERS)
                ]
                for process in running:
                    process.wait()
        return trials / (time.monotonic() - begin)


def milliseconds(result: Round, part: str) -> float:
    """CPU time of a part for each effective trial."""
    return float(1000 * getattr(result.cpu, part) / max(1, result.effective))


def measure(mode: Mode, runtime: ServerRuntime, rounds: int, trials: int, say: Callable[[str], None]) -> list[Round]:
    """So many rounds: in each the floor, the harness and the plain loop, one after another."""
    script = Path("sites/mysite/scripts/default.wsgi")
    results = []
    for number in range(1, rounds + 1):
        with tempfile.TemporaryDirectory() as directory:
            case = script_case(script, mode=mode, users=USERS, trials=trials + WARM_UP)
            floor = measure_floor(script, runtime, trials // 2, os.cpu_count() or 1)
            harness = measure_harness(case, runtime, Path(directory))
            plain = measure_plain(case, runtime, max(4, trials // 10))
        results.append(Round(harness.rate, floor, plain, harness.effective, harness.cpu))
        say(f"{mode} round {number}: harness {harness.rate:.2f}/s, floor {floor:.2f}/s, plain loop {plain:.2f}/s")
    return results


@click.command()
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option(
    "--trials",
    type=click.IntRange(20, 5000),
    help=f"of the harness, a round: {TRIALS}; with --against, a measurement: {TRIALS_AGAINST}",
)
@click.option("--runtime", "name", default="django52", show_default=True)
@against_options
@keep_option
def main(rounds: int, trials: int | None, name: str, against: str | None, pairs: int, keep: Path | None) -> None:
    """Print the rates and their ratios, the median of the rounds.

    With --against the ratio of the harness' rates; exit code 1 where today's is lower or may be.
    """
    if against is not None:
        measurement = Measurement("trial_rate", {"trials": trials or TRIALS_AGAINST}, QUANTITIES)
        sys.exit(not compare(measurement, against, pairs, name, keep))
    runtime = prepare(name, declared_runtimes()[name], say)
    table = Table("mode", "harness/s", "floor/s", "plain/s", "harness : floor", "harness : plain", title="cold trials")
    shares = Table("mode", "interpreters", "httpd", "Locust", "harness", title="CPU, milliseconds an effective trial")
    modes: tuple[Mode, ...] = ("daemon", "embedded")
    for mode in modes:
        results = measure(mode, runtime, rounds, trials or TRIALS, say)
        table.add_row(
            mode,
            *(
                f"{statistics.median(getattr(result, part) for result in results):.2f}"
                for part in ("harness", "floor", "plain")
            ),
            f"{statistics.median(result.harness / result.floor for result in results):.2f}",
            f"{statistics.median(result.harness / result.plain for result in results):.1f}",
        )
        shares.add_row(
            mode,
            *(
                f"{statistics.median(milliseconds(result, part) for result in results):.1f}"
                for part in ("interpreters", "httpd", "locust", "harness")
            ),
        )
    show(table, shares, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
