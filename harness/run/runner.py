"""Runs a case: controls, then trials until the verdict is settled or the trials are used up."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import msgspec

from harness.cases.case import Case
from harness.checkers.grade import grade
from harness.checkers.yardstick import CONTROLS, Yardstick
from harness.errors import HarnessError
from harness.hosting.host import Host
from harness.hosting.slot import ColdSlot
from harness.load.client import LocustClient
from harness.records import Control, Leftovers, Trial
from harness.run.control import run_control
from harness.run.cores import Cores, cores_of
from harness.run.survival import SERVER_ENDED, survives
from harness.run.trial import run_trial
from harness.store.history import HistoryWriter
from harness.store.stored_case import StoredCase
from harness.verdict import Tally

# An answer may differ only because time has passed (another minute than in the controls). Before it counts as wrong,
# another control is run, at most this many per case: three show what the clock changes, and more cost only time.
LATE_CONTROLS = 3


class CaseRunner:
    """The state of a running case: `begin` it, then run its trials as they are `due`."""

    def __init__(
        self,
        case: Case,
        host: Host,
        locust: LocustClient,
        history: HistoryWriter,
        before: StoredCase | None = None,
    ) -> None:
        """`before`: what an interrupted run has of the case; only the trials that it lacks are run."""
        self.case = case
        self._host = host
        self._locust = locust
        self._history = history
        self._lock = threading.Lock()
        self._yardstick = Yardstick.of(case.requests, ())
        self._before = before
        self._shift = 0.0
        self.tally = before.so_far() if before else Tally(reload=case.restart == "reload")
        made = before.numbers if before else ()
        self._numbers = iter([number for number in range(1, case.trials + 1) if number not in made])
        self.stop = threading.Event()
        self.duration = 0.0
        """In seconds, once it has ended; of cases that took turns, its share by the number of trials."""

    @property
    def made(self) -> int:
        """The trials of this part."""
        return self.tally.trials - (len(self._before.numbers) if self._before else 0)

    def begin(self) -> None:
        """Run the controls and build the yardstick. Raises HarnessError."""
        controls = [self._control(number) for number in range(1, CONTROLS + 1)]
        begin = controls[0].begin
        self._shift = self._before.shift(self._before.next_part, begin) if self._before else 0.0
        if not self.tally.trials:
            self.tally.begin = begin
        self._yardstick = Yardstick.of(self.case.requests, controls)
        self.tally.begin_part(self._yardstick.broken, self._yardstick.inconclusive)

    def due(self) -> int | None:
        """The number of the next trial; None when the case needs no more."""
        return None if self.tally.ended(self.case) else next(self._numbers, None)

    def trial(self, number: int, cores: Cores) -> None:
        """Run a trial and grade it. Thread-safe. Raises HarnessError."""
        if self.stop.is_set():
            return
        yardstick = self._yardstick
        with self._host.cold(self.case.schedule) as slot:
            turn = cores.taken(cores_of(self.case, number))
            trial = run_trial(slot, self._locust, number, yardstick.grace, yardstick.reference, turn)
            dead = self._death(slot, trial)
        if self.stop.is_set():  # its server was ended meanwhile: the trial says nothing about the site
            return
        if dead is not None:
            evidence = msgspec.structs.replace(trial.evidence, short=(*trial.evidence.short, SERVER_ENDED))
            self._history.add(msgspec.structs.replace(trial, evidence=evidence))
            raise dead
        self._history.add(trial)
        graded = grade(trial, self._yardstick)
        if {"wrong", "poisoned", "wrong-state"} & graded.outcomes.keys() and self._late_control():
            graded = grade(trial, self._yardstick)
        graded = msgspec.structs.replace(graded, end=graded.end + self._shift)
        with self._lock:
            self.tally.add(graded)

    @property
    def controls(self) -> Sequence[Control]:
        return self._yardstick.controls

    def end(self, leftovers: Leftovers) -> None:
        """Take in what the site's processes had left when their host ended."""
        if leftovers.processes:
            self._history.add(leftovers)
            self.tally.leftovers = leftovers

    def _death(self, slot: ColdSlot, trial: Trial) -> HarnessError | None:
        """The error to raise where the server did not outlive the trial."""
        lost = any(answer.failure in ("refused", "reset", "truncated") for answer in (*trial.answers, *trial.follow_up))
        gone = any(process.gone for process in trial.evidence.processes)
        try:
            if lost or gone:
                survives(self._host, slot.address, self.stop)
            self._host.check_alive()
        except HarnessError as error:
            return error
        return None

    @property
    def has_late_controls(self) -> bool:
        """Were controls added while trials ran?"""
        return len(self._yardstick.controls) > CONTROLS

    def _control(self, number: int) -> Control:
        control = run_control(self._host, number, self.case.schedule)
        self._history.add(control)
        return control

    def _late_control(self) -> bool:
        with self._lock:
            number = len(self._yardstick.controls) + 1
        if number > CONTROLS + LATE_CONTROLS:
            return False
        control = self._control(number)
        with self._lock:
            self._yardstick = self._yardstick.extended(control)
        return True
