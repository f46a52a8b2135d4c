"""Old and new side by side in one run: pairs of cold starts, one of each at the same time.

Whatever disturbs the machine disturbs both of a pair; they take turns in being started first.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.cases.case import Case
from harness.checkers.findings import TrialGrade
from harness.checkers.grade import grade
from harness.checkers.yardstick import CONTROLS, Yardstick
from harness.errors import Inconclusive
from harness.gate.compare import TOLERANCE, HypothesisTest, compare_counts, compare_times
from harness.gate.measure import observe
from harness.hosting.backend import Backend
from harness.hosting.host import SLOTS_PER_CORE, Host
from harness.load.client import LocustClient
from harness.records import Trial
from harness.run.control import run_control
from harness.run.trial import run_trial
from harness.store.history import HistoryWriter, file_name

CPU = "the CPU time of a cold start"
FIRST = "the time to the first good answer of a cold process"
LAST = "the time until all its first requests are answered"


class BrokenSide(Inconclusive):
    """The old or the new fails one request at a time: there is nothing to time."""

    def __init__(self, case: Case, why: str) -> None:
        super().__init__(f"{case.id} is broken: {why}")
        self.case = case
        self.why = why


@dataclass(frozen=True)
class TrialTiming:
    """One trial with its grade and its times in seconds; None where there was no good answer."""

    grade: TrialGrade
    cpu: float | None
    first: float | None
    last: float | None


@dataclass
class Side:
    """The old or the new: its host, and its yardstick."""

    case: Case
    host: Host
    history: HistoryWriter
    number: int = 0

    def ask_controls(self) -> None:
        """Send the controls. Raises BrokenSide: it fails one request at a time; Inconclusive: the controls show
        nothing."""
        controls = []
        for number in range(1, CONTROLS + 1):
            controls.append(run_control(self.host, number))
            self.history.add(controls[-1])
        self._yardstick = Yardstick.of(self.case.requests, controls)
        if self._yardstick.broken is not None:
            raise BrokenSide(self.case, self._yardstick.broken.summary)
        if self._yardstick.inconclusive:
            raise Inconclusive(self._yardstick.inconclusive)

    def trial(self, locust: LocustClient) -> TrialTiming:
        """One cold start and its stampede."""
        self.number += 1
        yardstick = self._yardstick
        with self.host.cold() as slot:
            trial = run_trial(slot, locust, self.number, yardstick.grace, yardstick.reference)
            fresh = [watched.process for watched in trial.evidence.processes if watched.fresh]
            cpu = [seconds for process in fresh if (seconds := slot.cpu_seconds(process)) is not None]
        self.history.add(trial)
        return timing_of(trial, grade(trial, yardstick), sum(cpu) or None)


def timing_of(trial: Trial, graded: TrialGrade, cpu: float | None) -> TrialTiming:
    """The times of a trial. A pure function."""
    ends = [
        answer.last_byte
        for answer in trial.answers
        if answer.last_byte is not None and answer.status is not None and answer.status < 500
    ]
    begin = min((answer.intended for answer in trial.answers), default=0.0)
    if not graded.cold or not ends:
        return TrialTiming(graded, None, None, None)
    complete = len(ends) == len(trial.answers)
    return TrialTiming(graded, cpu, min(ends) - begin, max(ends) - begin if complete else None)


class PairRunner:
    """Old and new, hosted side by side. A context manager; call `pairs` as often as needed."""

    def __init__(self, old: Case, new: Case, backend: Backend, locust: LocustClient, histories: Path) -> None:
        self._cases = (old, new)
        self._backend = backend
        self._locust = locust
        self._histories = histories
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> PairRunner:
        try:
            slots = SLOTS_PER_CORE * max(1, (os.cpu_count() or 1) // 2)
            self._sides = [self._side(case, slots) for case in self._cases]
            for side in self._sides:
                side.ask_controls()
            # The first cold start of a script compiles it and fills the machine's caches: it is not counted.
            self.pairs(1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def _side(self, case: Case, slots: int) -> Side:
        history = self._stack.enter_context(HistoryWriter(self._histories / file_name(case.id), case))
        return Side(case, self._stack.enter_context(self._backend.host(case, 1, slots=slots)), history)

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def pairs(self, count: int, tell: Callable[[int], None] = lambda _: None) -> list[tuple[TrialTiming, TrialTiming]]:
        """Run `count` pairs of (old, new). Raises HarnessError."""
        timings = []
        for number in range(count):
            timings.append(self._pair(number))
            tell(number + 1)
        return timings

    def _pair(self, number: int) -> tuple[TrialTiming, TrialTiming]:
        order = self._sides if number % 2 else self._sides[::-1]
        # On one core they would only slow each other down.
        if (os.cpu_count() or 1) < 2:
            results = {id(side): side.trial(self._locust) for side in order}
        else:
            with ThreadPoolExecutor(2) as pool:
                futures = {id(side): pool.submit(side.trial, self._locust) for side in order}
                try:
                    results = {side: future.result() for side, future in futures.items()}
                except BaseException:
                    for side in self._sides:
                        side.host.abort()  # the other one ends at once
                    raise
        old, new = (results[id(side)] for side in self._sides)
        return old, new


def compare_pairs(
    old: Case, new: Case, pairs: Sequence[tuple[TrialTiming, TrialTiming]], since: str, tolerance: float = TOLERANCE
) -> list[HypothesisTest]:
    """The tests of pairs of cold starts: counts and times. A pure function."""
    sides = [
        observe(case, [pair[side].grade for pair in pairs], backend="local", verdict="clean", reason="")
        for side, case in enumerate((old, new))
    ]
    times = {
        what: [
            (old_time, new_time)
            for old_timing, new_timing in pairs
            if (old_time := getattr(old_timing, name)) is not None
            and (new_time := getattr(new_timing, name)) is not None
        ]
        for what, name in ((CPU, "cpu"), (FIRST, "first"), (LAST, "last"))
    }
    return compare_counts(sides[0], sides[1], since) + compare_times(new.id, times, since, tolerance)


def check_enough(pairs: Sequence[tuple[TrialTiming, TrialTiming]], case: Case) -> None:
    """Raises Inconclusive: a checker failed, or fewer than half of the pairs were effective on both sides."""
    effective = sum(old.grade.effective and new.grade.effective for old, new in pairs)
    failed = next((reason for pair in pairs for timing in pair for reason in timing.grade.failed_checkers), None)
    if failed:
        raise Inconclusive(f"{case.id}: {failed}")
    if 2 * effective < len(pairs):
        raise Inconclusive(f"{case.id}: only {effective} of {len(pairs)} pairs were effective on both sides")
