"""Runs one case: controls, then trials until the verdict is settled or the trials are used up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

from harness.checkers import grade
from harness.checkers.baseline import Baseline
from harness.checkers.controls import judge_controls
from harness.control import run_control, slowest
from harness.errors import HarnessError, Inconclusive
from harness.history import HistoryWriter, read, read_case
from harness.hosting.host import Host
from harness.load.client import LocustClient
from harness.records import Control, State, Trial
from harness.scenario import Case
from harness.trial import grace_seconds, run_trial
from harness.verdict import Tally

CONTROLS = 2
# A wrong answer may be the clock's doing (a minute that has passed since the controls): up to so many further
# controls are asked, at that moment, before it is believed.
LATE_CONTROLS = 3
Watch = Callable[[Tally], None]
# Left alone, threads race for a few microseconds only where two of them can run, and a core that another stampede keeps
# busy is not there for them; but two stampedes at a time are done sooner, and their threads meet in other ways. So of
# the natural trials every third has two cores. Disturbed threads wait for their delays, mostly: one core is enough.
UNCROWDED_EVERY = 3
UNCROWDED_CORES = 2


class Cores:
    """What stampedes share: so many of them can be under way as there are cores, each of which takes one or two."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait for so many to be free (for all, where there are fewer), and keep them."""
        wanted = min(wanted, self._count)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


def cores_of(case: Case, number: int) -> int:
    """How many cores the stampede of this trial takes."""
    return UNCROWDED_CORES if case.schedule == "natural" and number % UNCROWDED_EVERY == 0 else 1


class CaseRunner:
    """The state of a running case. `run` it once."""

    def __init__(self, case: Case, host: Host, locust: LocustClient, history: HistoryWriter) -> None:
        self._case = case
        self._host = host
        self._locust = locust
        self._history = history
        self._lock = threading.Lock()
        self._controls: list[Control] = []
        self._grace = 0.0
        self._reference: State | None = None
        self.tally = Tally(reload=case.restart == "reload")
        self.stop = threading.Event()

    def run(self, flights: int, watch: Watch) -> Tally:
        """Controls, then trials, `flights` at a time. Raises HarnessError."""
        for number in range(1, CONTROLS + 1):
            self._control(number)
        try:
            self.tally.broken = judge_controls(self._controls, self._case.requests)
        except Inconclusive as error:
            self.tally.inconclusive = str(error)
        if self.tally.broken or self.tally.inconclusive:
            return self.tally
        self._grace = grace_seconds(slowest(self._controls))
        self._cores = Cores(flights)
        with ThreadPoolExecutor(flights, thread_name_prefix="trial") as pool:
            try:
                self._fly(pool, flights, watch)
            except BaseException:
                self.stop.set()
                self._host.abort()  # so that the trials under way end at once
                raise
        return self.tally

    def _fly(self, pool: ThreadPoolExecutor, flights: int, watch: Watch) -> None:
        under_way: set[Future[None]] = set()
        number = 0
        while self._case.full or not self.tally.settled(self._case.expectation):
            while len(under_way) < flights and number < self._case.trials:
                number += 1
                under_way.add(pool.submit(self._trial, number))
            if not under_way:
                break
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for each in done:
                each.result()
            watch(self.tally)
        for each in under_way:
            each.result()
        watch(self.tally)

    def _trial(self, number: int) -> None:
        if self.stop.is_set():
            return
        with self._host.cold() as slot:
            turn = self._cores.taken(cores_of(self._case, number))
            trial = run_trial(self._host, self._locust, slot, number, self._grace, self._reference, turn)
        if self.stop.is_set():  # its server was taken away: it says nothing about the site
            return
        self._history.add(trial)
        judged = grade(trial, self._baseline())
        if {"wrong", "poisoned", "wrong-state"} & judged.outcomes.keys() and self._late_control():
            judged = grade(trial, self._baseline())
        with self._lock:
            self.tally.add(judged)

    def _control(self, number: int) -> None:
        control = run_control(self._host, number)
        self._history.add(control)
        with self._lock:
            self._controls.append(control)
            if self._reference is None and control.states:
                self._reference = control.states[0]
            self.tally.begin = self._controls[0].begin
            self._known = Baseline.of(self._case.requests, self._controls)

    def _late_control(self) -> bool:
        with self._lock:
            number = len(self._controls) + 1
        if number > CONTROLS + LATE_CONTROLS:
            return False
        self._control(number)
        return True

    def _baseline(self) -> Baseline:
        with self._lock:
            return self._known


def run_case(
    case: Case, host: Host, locust: LocustClient, path: Path, flights: int, watch: Watch
) -> tuple[Tally, float, bool]:
    """Run a case and write its history to `path`: its tally, its duration in seconds, and whether it was
    stopped before its time by Ctrl-C (then the tally holds what was kept so far).

    Raises:
        HarnessError: httpd or Locust failed, or the control is refused.
    """
    begin = time.monotonic()
    with HistoryWriter(path, case) as history:
        runner = CaseRunner(case, host, locust, history)
        stopped = False
        try:
            with host:
                runner.run(flights, watch)
        except KeyboardInterrupt:
            stopped = True
        return runner.tally, time.monotonic() - begin, stopped


def grade_history(path: Path) -> tuple[Case, Tally]:
    """Judge a stored history anew. Reads it twice, a line at a time: all controls first, then the trials."""
    case = read_case(path)
    controls = [each for each in read(path) if isinstance(each, Control)]
    tally = Tally(reload=case.restart == "reload")
    if not controls:
        tally.inconclusive = "the history holds no control"
        return case, tally
    tally.begin = controls[0].begin
    try:
        tally.broken = judge_controls(controls, case.requests)
    except HarnessError as error:
        tally.inconclusive = str(error)
    if tally.broken or tally.inconclusive:
        return case, tally
    baseline = Baseline.of(case.requests, controls)
    for each in read(path):
        if isinstance(each, Trial):
            tally.add(grade(each, baseline))
    return case, tally
