"""TODO."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import msgspec

from harness.cases.case import Case
from harness.checkers.controls import judge_controls
from harness.checkers.grade import grade
from harness.checkers.yardstick import Yardstick
from harness.records import (
    Control,
    ThreadOrder,
)
from harness.run.control import slowest
from harness.run.runner import CONTROLS
from harness.run.trial import grace_seconds
from harness.run.turns import Watch
from harness.runtimes.building import Runtime
from harness.search.snapshot import SnapshotProcess
from harness.store.history import HistoryWriter
from harness.verdict import RACES, Tally

# Threads race for a few microseconds only where two of them can run: the first trials have the machine to themselves.
# All of them would be half as many in the same time.
TRIALS_ALONE = 3


class Explorer:
    """One case in the snapshot lane: its controls, and then trials, judged as they come."""

    def __init__(self, case: Case, runtime: Runtime, history: HistoryWriter) -> None:
        self.case = case
        self.tally = Tally()
        self._runtime = runtime
        self._history = history
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def run(self, flights: int, watch: Watch, like: ThreadOrder | None = None) -> None:
        """The controls, and then the case's trials, `flights` at a time, until they, or the case, are done."""
        with SnapshotProcess(self.case, self._runtime) as first:
            if self._controls_pass(first):
                self._explore(first, flights, watch, like)

    def _controls_pass(self, snapshot: SnapshotProcess) -> bool:
        """False when requests fail one at a time too, and no trial can tell more."""
        self.tally.begin = time.monotonic()
        controls: list[Control] = []
        for number in range(1, CONTROLS + 1):
            controls.append(snapshot.control(number, self.tally.begin))
            self._history.add(controls[-1])
        self.tally.broken = judge_controls(controls, self.case.requests)
        if self.tally.broken:
            return False
        self._baseline = Yardstick.of(self.case.requests, controls)
        self._reference = controls[0].states[0] if controls[0].states else None
        self._grace = grace_seconds(slowest(controls))
        return True

    def _explore(self, first: SnapshotProcess, flights: int, watch: Watch, like: ThreadOrder | None) -> None:
        numbers = iter(range(1, self.case.trials + 1))
        self._fly(first, islice(numbers, TRIALS_ALONE), watch, like)
        with ThreadPoolExecutor(flights, thread_name_prefix="flight") as pool:
            under_way = [pool.submit(self._fly, first, numbers, watch, like)]
            under_way += [pool.submit(self._start_and_fly, numbers, watch, like) for _ in range(flights - 1)]
            try:
                for each in as_completed(under_way):
                    each.result()
            finally:
                self._stop.set()  # where one has failed, or Ctrl-C was pressed

    def _start_and_fly(self, numbers: Iterator[int], watch: Watch, like: ThreadOrder | None) -> None:
        if self._is_settled():
            return
        with SnapshotProcess(self.case, self._runtime) as snapshot:
            self._fly(snapshot, numbers, watch, like)

    def _is_settled(self) -> bool:
        return self.tally.settled(self.case.expectation) and not self.case.full

    def _fly(self, snapshot: SnapshotProcess, numbers: Iterator[int], watch: Watch, like: ThreadOrder | None) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = None if self._is_settled() else next(numbers, None)
            if number is None:
                return
            trial = snapshot.trial(number, self._grace, self._reference, like)
            judged = grade(trial, self._baseline)
            if not RACES.keys() & judged.outcomes.keys() and trial.order:
                # Thousands of steps, and nothing to do again.
                trial = msgspec.structs.replace(trial, order=msgspec.structs.replace(trial.order, runs=()))
            self._history.add(trial)
            with self._lock:
                self.tally.add(judged)
                watch(self.case, self.tally)


def explore_case(
    case: Case, runtime: Runtime, path: Path, flights: int, watch: Watch, like: ThreadOrder | None = None
) -> tuple[Tally, float]:
    """Controls, then the case's trials, each in a forked child, `flights` at a time; the history goes to
    `path`. All trials can be led `like` an earlier one.

    Raises:
        BadInput: the script does not import, or its process cannot be forked in isolation.
    """
    with HistoryWriter(path, case) as history:
        explorer = Explorer(case, runtime, history)
        explorer.run(flights, watch, like)
    return explorer.tally, time.monotonic() - explorer.tally.begin
