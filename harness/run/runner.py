"""A case that runs: controls, then trials until the verdict is settled or the trials are used up."""

from __future__ import annotations

import threading
from pathlib import Path

from harness.cases.case import Case
from harness.checkers.controls import judge_controls
from harness.checkers.grade import grade
from harness.checkers.yardstick import Yardstick
from harness.errors import HarnessError, Inconclusive
from harness.hosting.host import Host
from harness.load.client import LocustClient
from harness.records import Control, State, Trial
from harness.run.control import run_control, slowest
from harness.run.cores import Cores, cores_of
from harness.run.trial import grace_seconds, run_trial
from harness.store.history import HistoryWriter, read, read_case
from harness.verdict import Tally

CONTROLS = 2
# A wrong answer may be the clock's doing (a minute that has passed since the controls): up to so many further
# controls are asked, at that moment, before it is believed.
LATE_CONTROLS = 3


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
            self._known = Yardstick.of(self.case.requests, self._controls)

    def _late_control(self) -> bool:
        with self._lock:
            number = len(self._controls) + 1
        if number > CONTROLS + LATE_CONTROLS:
            return False
        self._control(number)
        return True

    def _baseline(self) -> Yardstick:
        with self._lock:
            return self._known


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
    baseline = Yardstick.of(case.requests, controls)
    for each in read(path):
        if isinstance(each, Trial):
            tally.add(grade(each, baseline))
    return case, tally
