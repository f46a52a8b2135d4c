"""How often the gate raises a false alarm, and how often it misses a regression.

    python -m benchmarks.gate_power --comparisons 100 --planted 10

A/A: a script against itself, each comparison with cold starts of its own; every alarm is a false one. *stored* is the
same against a baseline that is measured once, as `harness gate` does without --against. Planted: the same script with
one thing made worse, where every comparison should raise an alarm:

    lazy    the URLconf, which the script loaded while it was imported, is left to the first request
    slower  the start takes 30 % more CPU time
    lock    a handler that is built in the first request is no longer built under a lock

The other comparisons are what `harness gate --against` does: pairs of cold starts of old and new at one moment, all
tests as one family. Each comparison is a line of the file --keep and is not made again, so that the work can be done in
pieces (--seconds).
"""

from __future__ import annotations

import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from harness.cases.case import Case
from harness.cases.script import script_case
from harness.errors import InfrastructureError
from harness.gate.compare import alarms
from harness.gate.judge import judge_observed
from harness.gate.measure import baseline_of, measure_all
from harness.gate.pairs import PairRunner, TrialTiming, check_enough, compare_pairs
from harness.gate.records import CaseCounts
from harness.gate.statistics import FAMILY_ERROR
from harness.hosting.backend import LocalBackend
from harness.hosting.preparing import ServerRuntime, prepare
from harness.load.client import LocustClient
from harness.report.console import say
from harness.run.session import Session
from harness.runtimes.spec import declared_runtimes

SITE = Path("sites/mysite")
PATHS = ("/", "/hello/", "/books/1/", "/login/")
USERS = 15  # as many as a process has threads
SLOWER = 0.30  # what the gate has to notice in 24 pairs
KINDS = ("A/A", "stored", "lazy", "slower", "lock")
UNCHANGED = ("A/A", "stored")
TRIALS = 40  # of a run that is compared with a baseline: what `harness gate` makes by default
_BASE = (SITE / "scripts" / "default.wsgi").read_text()
_EAGER = "\nfrom django.urls import get_resolver\n\nget_resolver().url_patterns\n"
# Work, not a wait for a clock: on a busy machine it takes longer, as all of the start does.
_WORK = "\nfor _ in range({rounds}):\n    pass\n"
_HEAD = _BASE.partition("application =")[0]
_WITH_LOCK = (
    _HEAD
    + """
import threading

lock = threading.Lock()
handler = None


def application(environ, start_response):
    global handler
    with lock:
        if handler is None:
            handler = get_wsgi_application()
    return handler(environ, start_response)
"""
)
_WITHOUT_LOCK = _WITH_LOCK.replace("with lock:", "if True:")


class Bench:
    """The scripts, in a copy of the site that the server's user can read."""

    def __init__(self, directory: Path, runtime: ServerRuntime, pairs: int) -> None:
        directory.chmod(0o755)
        self._directory = directory
        self._scripts = directory / "mysite" / "scripts"
        shutil.copytree(SITE, directory / "mysite")
        self._backend = LocalBackend(lambda _: runtime)
        self._pairs = pairs
        self._made = 0

    def _case(self, name: str, text: str) -> Case:
        path = self._scripts / f"{name}.wsgi"
        path.write_text(text)
        self._made += 1
        case = script_case(path, paths=PATHS, users=USERS)
        return case.model_copy(update={"id": f"{case.id}::{self._made}"})

    def _sides(self, kind: str, locust: LocustClient) -> tuple[Case, Case]:
        old = _BASE + _EAGER
        if kind == "A/A":
            return self._case("old", old), self._case("old", old)
        if kind == "lazy":
            return self._case("old", old), self._case("lazy", _BASE)
        if kind == "lock":
            return self._case("locked", _WITH_LOCK), self._case("unlocked", _WITHOUT_LOCK)
        rounds = 2_000_000
        with self._runner(self._case("old", old), self._slower(old, rounds), locust) as runner:
            runner.pairs(8)  # the first ones cost more
            used = [(old_trial.cpu or 0.0, new_trial.cpu or 0.0) for old_trial, new_trial in runner.pairs(self._pairs)]
        # How much these rounds add says how many are needed; medians, since something else may run at the same time.
        added = statistics.median(now - was for was, now in used)
        if added <= 0:
            raise InfrastructureError("the machine is too busy to measure 30 % of a start: run it again")
        needed = SLOWER * statistics.median(was for was, _ in used) / added
        return self._case("old", old), self._slower(old, rounds * needed)

    def _slower(self, old: str, rounds: float) -> Case:
        return self._case("slower", old + _WORK.format(rounds=round(rounds)))

    @contextmanager
    def _runner(self, old: Case, new: Case, locust: LocustClient) -> Iterator[PairRunner]:
        with PairRunner(old, new, self._backend, locust, self._directory / "histories") as runner:
            yield runner

    def compare(self, kind: str, times: int, until: float) -> Iterator[dict[str, Any]]:
        """Compare so many times, or until then, each time with cold starts of its own."""
        with LocustClient(2 * USERS, self._directory / "locust.log") as locust:
            old, new = self._sides(kind, locust)
            with self._runner(old, new, locust) as runner:
                for _ in range(times):
                    begin = time.monotonic()
                    pairs = runner.pairs(self._pairs)
                    check_enough(pairs, new)
                    tests = compare_pairs(old, new, pairs, "since the old one")
                    yield {
                        "kind": kind,
                        "pairs": self._pairs,
                        "tests": len(tests),
                        "least_p": min(test.significance.p for test in tests),
                        "cpu_s": cpu_of(pairs),
                        "seconds": round(time.monotonic() - begin, 1),
                        "alarms": [test.sentence.partition(": ")[2] for test in alarms(tests)],
                    }
                    if time.monotonic() > until:
                        return

    def compare_stored(self, times: int, until: float) -> Iterator[dict[str, Any]]:
        """Compare with a baseline of the same script so many times, or until then."""
        case = self._case("old", _BASE + _EAGER).model_copy(update={"trials": TRIALS})
        session, first = self._run(case)
        baseline = baseline_of("itself", session, first)
        for _ in range(times):
            begin = time.monotonic()
            _, observed = self._run(case)
            outcome = judge_observed([case], observed, {case.scenario: baseline})
            yield {
                "kind": "stored",
                "tests": len(outcome.tests),
                "least_p": min(test.significance.p for test in outcome.tests),
                "seconds": round(time.monotonic() - begin, 1),
                "alarms": [test.sentence.partition(": ")[2] for test in alarms(outcome.tests)],
            }
            if time.monotonic() > until:
                return

    def _run(self, case: Case) -> tuple[Session, list[CaseCounts]]:
        with Session(self._directory / "results", users=USERS) as session:
            return session, measure_all([case], self._backend, session)


def cpu_of(pairs: Sequence[tuple[TrialTiming, TrialTiming]]) -> tuple[float, float]:
    """CPU seconds of a cold start of the old and of the new: means, because they are counted in ticks."""
    old, new = ([pair[side].cpu or 0.0 for pair in pairs] for side in (0, 1))
    return round(statistics.fmean(old), 4), round(statistics.fmean(new), 4)


def summary(lines: list[dict[str, Any]]) -> list[str]:
    """A sentence for each kind of comparison that was made."""
    sentences = []
    for kind in KINDS:
        here = [line for line in lines if line["kind"] == kind]
        if here:
            alarming = sum(bool(line["alarms"]) for line in here)
            seconds = statistics.median(line["seconds"] for line in here)
            how = f"{seconds:.1f} s each"
            if kind != "stored":
                pairs = sorted({line["pairs"] for line in here})
                cpu = statistics.median(line["cpu_s"][1] / line["cpu_s"][0] for line in here)
                how += f", {' or '.join(map(str, pairs))} pairs; CPU time of a cold start, new : old, {cpu:.2f}"
            sentences.append(f"{kind}: alarms in {alarming} of {len(here)} comparisons ({how})")
    return sentences


@click.command()
@click.option("--comparisons", type=click.IntRange(0, 10_000), default=100, show_default=True, help="A/A, stored")
@click.option("--planted", type=click.IntRange(0, 1000), default=10, show_default=True, help="of each regression")
@click.option("--pairs", type=click.IntRange(8, 200), default=24, show_default=True, help="of each comparison")
@click.option("--keep", type=click.Path(path_type=Path), default=Path("results/gate-power.jsonl"), show_default=True)
@click.option("--seconds", type=click.FloatRange(1), default=86_400.0, help="stop after this; the next run continues")
@click.option("--runtime", "name", default="django52", show_default=True)
def main(comparisons: int, planted: int, pairs: int, keep: Path, seconds: float, name: str) -> None:
    """Print how many comparisons raised an alarm."""
    until = time.monotonic() + seconds
    runtime = prepare(name, declared_runtimes()[name], say)
    for kind in KINDS:
        done = [json.loads(line) for line in keep.read_text().splitlines()] if keep.exists() else []
        left = (comparisons if kind in UNCHANGED else planted) - sum(line["kind"] == kind for line in done)
        if left <= 0 or time.monotonic() > until:
            continue
        with tempfile.TemporaryDirectory(prefix="gate-power-") as directory, keep.open("a") as stream:
            bench = Bench(Path(directory), runtime, pairs)
            for line in bench.compare_stored(left, until) if kind == "stored" else bench.compare(kind, left, until):
                stream.write(json.dumps(line) + "\n")
                stream.flush()
                click.echo(f"{kind}: {line['seconds']} s, {'; '.join(line['alarms'][:2]) or 'no alarm'}", err=True)
    lines = [json.loads(line) for line in keep.read_text().splitlines()]
    click.echo("\n".join(summary(lines)))
    click.echo(
        f"family-wise error {FAMILY_ERROR:.0%}: refuted by more than 4 alarms in 100 where nothing was made worse"
    )


if __name__ == "__main__":
    main()
