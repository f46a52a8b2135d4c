"""Runs cases: controls, then trials until the verdict is settled or the trials are used up."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
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
Watch = Callable[[Case, Tally], None]
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


def in_turns(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in groups that take turns: neighbours that are alike but for their schedule. A script that is reloaded
    keeps its process, which is of one schedule."""
    groups = groupby(cases, lambda case: case.id if case.restart == "reload" else case.id.rpartition("::")[0])
    return [list(group) for _, group in groups]


def cores_of(case: Case, number: int) -> int:
    """How many cores the stampede of this trial takes."""
    return UNCROWDED_CORES if case.schedule == "natural" and number % UNCROWDED_EVERY == 0 else 1


@dataclass(frozen=True)
class Ran:
    """A case that was run, what it came to, and how long that took, in seconds: of cases that took turns, its share."""

    case: Case
    tally: Tally
    duration: float


class CaseRunner:
    """The state of a running case: `begin` it, then take its trials as they are due."""

    def __init__(self, case: Case, host: Host, locust: LocustClient, history: HistoryWriter) -> None:
        self.case = case
        self._host = host
        self._locust = locust
        self._history = history
        self._lock = threading.Lock()
        self._controls: list[Control] = []
        self._grace = 0.0
        self._reference: State | None = None
        self._begun = 0
        self.tally = Tally(reload=case.restart == "reload")
        self.is_over = False
        self.stop = threading.Event()

    def begin(self) -> None:
        """The controls. Raises HarnessError."""
        for number in range(1, CONTROLS + 1):
            self._control(number)
        try:
            self.tally.broken = judge_controls(self._controls, self.case.requests)
        except Inconclusive as error:
            self.tally.inconclusive = str(error)
        self._grace = grace_seconds(slowest(self._controls))

    def due(self) -> int | None:
        """The number of the next trial; None when no more is wanted."""
        settled = self.tally.settled(self.case.expectation) and not self.case.full
        refused = self.tally.broken or self.tally.inconclusive
        if settled or refused or self._begun == self.case.trials:
            return None
        self._begun += 1
        return self._begun

    def trial(self, number: int, cores: Cores) -> None:
        """Make it. Thread-safe. Raises HarnessError."""
        if self.stop.is_set():
            return
        with self._host.cold(self.case.schedule) as slot:
            turn = cores.taken(cores_of(self.case, number))
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
        control = run_control(self._host, number, self.case.schedule)
        self._history.add(control)
        with self._lock:
            self._controls.append(control)
            if self._reference is None and control.states:
                self._reference = control.states[0]
            self.tally.begin = self._controls[0].begin
            self._known = Baseline.of(self.case.requests, self._controls)

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


class Turns:
    """Cases that are alike but for their schedule take turns on one host, so that what the machine does meanwhile hits
    all of them."""

    def __init__(self, runners: Sequence[CaseRunner], host: Host, flights: int, watch: Watch) -> None:
        self._runners = list(runners)
        self._host = host
        self._flights = flights
        self._watch = watch

    def run(self) -> None:
        """Controls, then trials, `flights` at a time. Raises HarnessError, KeyboardInterrupt."""
        for runner in self._runners:
            runner.begin()
        with ThreadPoolExecutor(self._flights, thread_name_prefix="trial") as pool:
            try:
                self._fly(pool)
            except BaseException:
                for runner in self._runners:
                    runner.stop.set()
                self._host.abort()  # so that the trials under way end at once
                raise

    def _fly(self, pool: ThreadPoolExecutor) -> None:
        cores = Cores(self._flights)
        turns = deque(self._runners)
        under_way: dict[Future[None], CaseRunner] = {}
        while turns or under_way:
            while turns and len(under_way) < self._flights:
                runner = turns.popleft()
                number = runner.due()
                if number is not None:
                    under_way[pool.submit(runner.trial, number, cores)] = runner
                    turns.append(runner)
            for each in wait(under_way, return_when=FIRST_COMPLETED).done:
                runner = under_way.pop(each)
                each.result()
                self._watch(runner.case, runner.tally)
            for runner in self._runners:
                if not runner.is_over and runner not in turns and runner not in under_way.values():
                    runner.is_over = True
                    self._host.end_schedule(runner.case.schedule)


def run_cases(
    cases: Sequence[Case], host: Host, locust: LocustClient, paths: Sequence[Path], flights: int, watch: Watch
) -> tuple[list[Ran], bool]:
    """Run cases that are alike but for their schedule, write the history of each to its path, and say what came of
    them, and whether they were stopped before their time by Ctrl-C (then it is what was kept so far).

    Raises:
        HarnessError: httpd or Locust failed, or the control is refused.
    """
    begin = time.monotonic()
    with ExitStack() as histories:
        runners = [
            CaseRunner(case, host, locust, histories.enter_context(HistoryWriter(path, case)))
            for case, path in zip(cases, paths, strict=True)
        ]
        stopped = False
        try:
            with host:
                Turns(runners, host, flights, watch).run()
        except KeyboardInterrupt:
            stopped = True
    duration, made = time.monotonic() - begin, sum(each.tally.trials for each in runners)
    shares = [each.tally.trials / made if made else 1 / len(runners) for each in runners]
    return [Ran(each.case, each.tally, duration * share) for each, share in zip(runners, shares, strict=True)], stopped


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
