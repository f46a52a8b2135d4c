"""Effective cold trials a second: the harness, the floor and a plain restart loop, side by side.

    python -m benchmarks.trial_rate

The harness runs as it always does: probe on, 15 users, history written, every trial graded. The *floor* is the
least any cold start can cost: `benchmarks/floor.py`, as many at a time as there are cores. The *plain loop* is
what people do today: kill the process, wait for its successor, N parallel `curl`.
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

USERS = 15
WARM_UP = 6
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
class Round:
    """One round of a mode: trials a second of each contender."""

    harness: float
    floor: float
    plain: float
    effective: int
    cpu: Cpu
    trials: int


@dataclass
class Meter:
    """Notes the time and the CPU use when the warm-up is over and when the last trial is."""

    host: LocalHost
    locust: LocustClient
    case: Case
    marks: list[tuple[float, int, Cpu]] = field(default_factory=list)

    def watch(self, _: Case, tally: Tally) -> None:
        if tally.trials >= WARM_UP and not self.marks:
            self._mark(tally)
        elif tally.trials >= self.case.trials - 2 and len(self.marks) == 1:
            self._mark(tally)  # not the very last ones: they fly alone

    def _mark(self, tally: Tally) -> None:
        self.marks.append((time.monotonic(), tally.effective, self._cpu()))

    def _cpu(self) -> Cpu:
        cpu = Cpu(locust=_seconds(psutil.Process(self.locust.pid)), harness=_seconds(psutil.Process()))
        for pid in self.host.server_pids():
            parent = psutil.Process(pid)
            times = parent.cpu_times()
            cpu.httpd += times.user + times.system
            # The interpreters that were killed, all of them reaped by httpd's parent.
            cpu.interpreters += times.children_user + times.children_system
            if self.case.mode == "daemon":  # the front end, httpd's own child, is not killed
                front = [each for each in proc.children(pid) if not proc.title(each).startswith("wsgi:")]
                cpu.httpd += sum(proc.cpu_seconds(each) or 0 for each in map(proc.identify, front) if each)
        return cpu


def _seconds(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def measure_harness(case: Case, runtime: ServerRuntime, directory: Path) -> tuple[float, int, Cpu, int]:
    """Effective trials a second once the first few are over, and where the CPU time went."""
    flights = os.cpu_count() or 1
    host = LocalHost(case, runtime, flights=flights)
    with (
        LocustClient(USERS * flights, directory / "locust.log") as locust,
        host,
        HistoryWriter(directory / f"{case.mode}-{time.monotonic_ns()}.jsonl", case) as history,
    ):
        meter = Meter(host, locust, case)
        Turns([CaseRunner(case, host, locust, history)], host, flights, meter.watch).run()
    (begin, before, cpu_before), (end, after, cpu_after) = meter.marks
    return (after - before) / (end - begin), after - before, cpu_after.less(cpu_before), case.trials - WARM_UP - 2


def measure_floor(script: Path, runtime: ServerRuntime, trials: int, at_a_time: int) -> float:
    """Bare cold starts a second."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "PYTHONPYCACHEPREFIX": str(runtime.bytecode),
        **runtime.environment,
    }
    command = [str(runtime.python), str(HERE / "floor.py"), str(script), str(USERS)]

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL)

    if start().wait():  # compiles what is not compiled yet
        raise InfrastructureError("the floor does not answer its requests")
    begin, left, running = time.monotonic(), trials, [start() for _ in range(at_a_time)]
    left -= at_a_time
    while running:
        running[0].wait()
        for each in [each for each in running if each.poll() is not None]:
            running.remove(each)
            if left > 0:
                running.append(start())
                left -= 1
    return trials / (time.monotonic() - begin)


def measure_plain(case: Case, runtime: ServerRuntime, trials: int) -> float:
    """Kill, wait, N parallel curl: cold starts a second."""
    plain = case.model_copy(update={"black_box": True})
    host = LocalHost(plain, runtime, slots=1, flights=1)
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
                for each in running:
                    each.wait()
        return trials / (time.monotonic() - begin)


def measure(mode: Mode, runtime: ServerRuntime, rounds: int, trials: int, say: Callable[[str], None]) -> list[Round]:
    script = Path("sites/mysite/scripts/default.wsgi")
    done = []
    for number in range(1, rounds + 1):
        with tempfile.TemporaryDirectory() as directory:
            case = script_case(script, mode=mode, users=USERS, trials=trials + WARM_UP)
            floor = measure_floor(script, runtime, trials // 2, os.cpu_count() or 1)
            harness, effective, cpu, ran = measure_harness(case, runtime, Path(directory))
            plain = measure_plain(case, runtime, max(4, trials // 10))
        done.append(Round(harness, floor, plain, effective, cpu, ran))
        say(f"{mode} round {number}: harness {harness:.2f}/s, floor {floor:.2f}/s, plain loop {plain:.2f}/s")
    return done


@click.command()
@click.option("--rounds", type=click.IntRange(1, 20), default=3, show_default=True)
@click.option("--trials", type=click.IntRange(20, 5000), default=80, show_default=True, help="of the harness, a round")
@click.option("--runtime", "name", default="django52", show_default=True)
@keep_option
def main(rounds: int, trials: int, name: str, keep: Path | None) -> None:
    """Print the rates and their ratios, the median of the rounds."""
    runtime = prepare(name, declared_runtimes()[name], say)
    table = Table("mode", "harness/s", "floor/s", "plain/s", "harness : floor", "harness : plain", title="cold trials")
    shares = Table("mode", "interpreters", "httpd", "Locust", "harness", title="CPU, milliseconds an effective trial")
    modes: tuple[Mode, ...] = ("daemon", "embedded")
    for mode in modes:
        done = measure(mode, runtime, rounds, trials, say)
        table.add_row(
            mode,
            *(
                f"{statistics.median(getattr(each, part) for each in done):.2f}"
                for part in ("harness", "floor", "plain")
            ),
            f"{statistics.median(each.harness / each.floor for each in done):.2f}",
            f"{statistics.median(each.harness / each.plain for each in done):.1f}",
        )
        shares.add_row(
            mode,
            *(
                f"{statistics.median(1000 * getattr(each.cpu, part) / max(1, each.effective) for each in done):.1f}"
                for part in ("interpreters", "httpd", "locust", "harness")
            ),
        )
    show(table, shares, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
