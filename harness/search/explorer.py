"""Runs cases in the snapshot lane, and confirms on a server what it finds."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

import msgspec

from harness.cases.case import Case
from harness.checkers.grade import grade
from harness.checkers.yardstick import CONTROLS, Yardstick
from harness.hosting.backend import Backend
from harness.records import Answer, Control, Evidence, Leftovers, LeftProcess, LogLine, ThreadOrder
from harness.result import CaseResult, case_result
from harness.run.session import Session, SilentWatcher, Watcher
from harness.run.turns import Watch
from harness.runtimes.building import Runtime
from harness.runtimes.compiling import check_syntax
from harness.search.snapshot import ImportFailure, SnapshotProcess
from harness.store.history import HistoryWriter, Surroundings
from harness.store.stored_case import StoredCase
from harness.verdict import Tally

# Threads race for a few microseconds, and only while two of them can run: the first trials have the machine to
# themselves. If all had, a run would make half as many trials in the same time.
TRIALS_ALONE = 3


class Explorer:
    """One case in the snapshot lane: its controls, then its trials, each graded as soon as it ends."""

    def __init__(self, case: Case, runtime: Runtime, history: HistoryWriter, before: StoredCase | None = None) -> None:
        """`before`: what an interrupted run has of the case; only the trials that it lacks are run."""
        self.case = case
        self.tally = before.so_far() if before else Tally()
        self._before = before
        self._shift = 0.0
        self._runtime = runtime
        self._history = history
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._others: list[SnapshotProcess] = []
        """Those of the further workers."""
        self._left: list[LeftProcess] = []

    def run(self, parallel: int, watch: Watch, like: ThreadOrder | None = None) -> None:
        """Run the controls, then the trials, `parallel` at a time, until they are used up or the case is settled."""
        first = SnapshotProcess(self.case, self._runtime)
        try:
            with first:
                if self._controls_pass(first.control):
                    self._explore(first, parallel, watch, like)
        except ImportFailure as failure:
            error = str(failure)
            self._controls_pass(lambda number, begin: unanswered(self.case, number, begin, error))
        self._left += first.left()
        if self._left:
            leftovers = Leftovers(processes=tuple(self._left), cold=CONTROLS + self.tally.trials)
            self.tally.leftovers = leftovers
            self._history.add(leftovers)

    def _controls_pass(self, make_control: Callable[[int, float], Control]) -> bool:
        """False if requests fail one at a time too: then trials would show nothing more."""
        begin = time.monotonic()
        self._shift = self._before.shift(self._before.next_part, begin) if self._before else 0.0
        if not self.tally.trials:
            self.tally.begin = begin
        controls: list[Control] = []
        for number in range(1, CONTROLS + 1):
            controls.append(make_control(number, begin))
            self._history.add(controls[-1])
        self._yardstick = Yardstick.of(self.case.requests, controls)
        self.tally.begin_part(self._yardstick.broken, self._yardstick.inconclusive)
        return not (self.tally.broken or self.tally.inconclusive)

    def _explore(self, first: SnapshotProcess, parallel: int, watch: Watch, like: ThreadOrder | None) -> None:
        made = self._before.numbers if self._before else ()
        numbers = iter([number for number in range(1, self.case.trials + 1) if number not in made])
        self._run_trials(first, islice(numbers, TRIALS_ALONE), watch, like)
        with ThreadPoolExecutor(parallel, thread_name_prefix="trial") as pool:
            workers = [pool.submit(self._run_trials, first, numbers, watch, like)]
            workers += [pool.submit(self._start_worker, numbers, watch, like) for _ in range(parallel - 1)]
            try:
                for worker in as_completed(workers):
                    worker.result()
            except BaseException:  # one has failed, or Ctrl-C was pressed: the trials under way end at once
                self._stop.set()
                for snapshot in [first, *self._others]:
                    snapshot.abort()
                raise

    def _start_worker(self, numbers: Iterator[int], watch: Watch, like: ThreadOrder | None) -> None:
        if self._is_settled():
            return
        with SnapshotProcess(self.case, self._runtime) as snapshot:
            self._others.append(snapshot)
            self._run_trials(snapshot, numbers, watch, like)
        with self._lock:
            self._left += snapshot.left()

    def _is_settled(self) -> bool:
        return self.tally.settled(self.case.expectation) and not self.case.full

    def _run_trials(
        self, snapshot: SnapshotProcess, numbers: Iterator[int], watch: Watch, like: ThreadOrder | None
    ) -> None:
        while not self._stop.is_set():
            with self._lock:
                number = None if self._is_settled() else next(numbers, None)
            if number is None:
                return
            trial = snapshot.trial(number, self._yardstick.grace, self._yardstick.reference, like)
            if self._stop.is_set():  # its process was ended meanwhile: the trial says nothing about the site
                return
            graded = grade(trial, self._yardstick)
            if not graded.races and trial.order:
                # Thousands of steps that nobody will want to replay.
                trial = msgspec.structs.replace(trial, order=msgspec.structs.replace(trial.order, runs=()))
            self._history.add(trial)
            graded = msgspec.structs.replace(graded, end=graded.end + self._shift)
            with self._lock:
                self.tally.add(graded)
                watch(self.case, self.tally)


def unanswered(case: Case, number: int, begin: float, error: str) -> Control:
    """The control of a script that cannot be imported: there is no process that could take a request. `error` ends with
    `Type: message`."""
    where, _, raised = error.partition(": the script cannot be imported: ")
    log = (LogLine(0, f"{where}: the script cannot be imported"), LogLine(0, raised))
    now = time.monotonic()
    answers = tuple(
        Answer(user=user, request=user, intended=now, failure="refused") for user in range(len(case.requests))
    )
    return Control(number=number, answers=answers, evidence=Evidence(log=log), begin=begin)


def explore_case(
    case: Case,
    runtime: Runtime,
    path: Path,
    parallel: int,
    watch: Watch,
    like: ThreadOrder | None = None,
    before: StoredCase | None = None,
) -> tuple[Tally, float]:
    """Run a case in forked children, `parallel` at a time, with its history in `path`: its tally, and the seconds that
    it took. All trials can follow an order, `like` an earlier one did. A script that does not import
    is broken. Raises BadInput: its process cannot be forked in isolation."""
    begin = time.monotonic()
    ran_on = Surroundings(lane="snapshot", versions=dict(runtime.versions))
    with HistoryWriter(path, case, ran_on, part=before.next_part if before else 1) as history:
        explorer = Explorer(case, runtime, history, before)
        explorer.run(parallel, watch, like)
    return explorer.tally, time.monotonic() - begin


def explore_one(
    session: Session, case: Case, runtime: Runtime, watcher: Watcher, like: ThreadOrder | None = None
) -> CaseResult:
    """Run one case of a session in the snapshot lane, and add its result. Raises HarnessError."""
    check_syntax(runtime, case.script_path)
    watcher.case_begins(case)
    before = session.before(case)
    path = session.history_path(case)
    stopped = False
    try:
        tally, duration = explore_case(case, runtime, path, session.parallel, watcher.case_goes_on, like, before)
        duration += session.seconds_before(before) if before else 0.0
    except KeyboardInterrupt:
        stopped = True
        stored = StoredCase(path)
        tally, duration = stored.tally(), stored.seconds
    result = case_result(
        case, tally, duration=duration, versions=runtime.versions, backend="local", lane="snapshot", stopped=stopped
    )
    session.add(result)
    if stopped:
        raise KeyboardInterrupt
    watcher.case_ends(case, result)
    return result


def confirm(session: Session, candidate: CaseResult, case: Case, backend: Backend) -> CaseResult:
    """Run a case on a server too: its race is confirmed if one of that class shows there. Raises HarnessError."""
    on_server = case.model_copy(update={"id": f"{case.id}::apache", "full": False})
    if session.take_over([on_server], backend.name):
        _, stopped = session.run_one(on_server, backend, SilentWatcher())
        if stopped:
            raise KeyboardInterrupt
    result = session.result_of(on_server)
    same = result.verdict == "race" and result.race_class == candidate.race_class
    settled = msgspec.structs.replace(candidate, standing="confirmed" if same else "candidate")
    session.correct(candidate, settled)
    return settled
