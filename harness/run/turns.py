"""Runs cases that differ only in their schedule: their trials alternate on one host."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from itertools import groupby
from pathlib import Path

from harness.cases.case import Case
from harness.hosting.host import Host
from harness.load.client import LocustClient
from harness.records import Leftovers
from harness.run.cores import Cores
from harness.run.runner import CaseRunner
from harness.store.history import HistoryWriter, Surroundings
from harness.store.stored_case import StoredCase
from harness.verdict import Tally

Watch = Callable[[Case, Tally], None]


def in_turns(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in groups that take turns: neighbours that differ only in their schedule. A case that reloads its
    script is a group of its own: it keeps its process, which has one schedule."""
    groups = groupby(cases, lambda case: case.id if case.restart == "reload" else case.id.rpartition("::")[0])
    return [list(group) for _, group in groups]


class Turns:
    """Cases that differ only in their schedule take turns on one host, so that what else the machine does affects all
    of them alike."""

    def __init__(self, runners: Sequence[CaseRunner], host: Host, parallel: int, watch: Watch) -> None:
        self._runners = list(runners)
        self._host = host
        self._parallel = parallel
        self._watch = watch

    def run(self) -> None:
        """Run the controls, then trials, `parallel` at a time. Raises HarnessError, KeyboardInterrupt."""
        for runner in self._runners:
            runner.begin()
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="trial") as pool:
            try:
                self._run_trials(pool)
            except BaseException:
                for runner in self._runners:
                    runner.stop.set()
                self._host.abort()  # so that the trials under way end at once
                raise

    def _run_trials(self, pool: ThreadPoolExecutor) -> None:
        cores = Cores(self._parallel)
        unfinished = list(self._runners)
        turns = deque(unfinished)
        trials: dict[Future[None], CaseRunner] = {}
        while turns or trials:
            while turns and len(trials) < self._parallel:
                runner = turns.popleft()
                number = runner.due()
                if number is not None:
                    trials[pool.submit(runner.trial, number, cores)] = runner
                    turns.append(runner)
            for trial in wait(trials, return_when=FIRST_COMPLETED).done:
                runner = trials.pop(trial)
                trial.result()
                self._watch(runner.case, runner.tally)
            for runner in [runner for runner in unfinished if runner not in turns and runner not in trials.values()]:
                unfinished.remove(runner)
                self._host.end_schedule(runner.case.schedule)


def run_cases(
    cases: Sequence[Case],
    host: Host,
    locust: LocustClient,
    paths: Sequence[Path],
    parallel: int,
    watch: Watch,
    before: Sequence[StoredCase | None] = (),
    *,
    fail_on_hazard: bool = False,
) -> tuple[list[CaseRunner], bool]:
    """Run cases that differ only in their schedule, and write the history of each to its path; `before` is what a run
    that is resumed has of each. Returns their runners, and whether Ctrl-C stopped them (then they have the trials up to
    that moment). Raises HarnessError: the server or Locust failed, or the controls prove nothing."""
    begin = time.monotonic()
    with ExitStack() as histories:
        writers = [
            histories.enter_context(_history(path, case, host, stored, fail_on_hazard))
            for case, path, stored in zip(cases, paths, before or [None] * len(cases), strict=True)
        ]
        runners = [
            CaseRunner(case, host, locust, writer, stored)
            for case, writer, stored in zip(cases, writers, before or [None] * len(cases), strict=True)
        ]
        stopped = False
        try:
            with host:
                Turns(runners, host, parallel, watch).run()
        except KeyboardInterrupt:
            stopped = True
        cold = sum(len(runner.controls) + runner.made for runner in runners)
        for runner, writer in zip(runners, writers, strict=True):
            runner.end(Leftovers(processes=host.left(), cold=cold))
            if stopped:
                writer.end("stopped")
    for runner, path in zip(runners, paths, strict=True):
        if runner.has_late_controls:  # trials before them were judged by less than is known now
            runner.tally = StoredCase(path).tally()
    duration, total = time.monotonic() - begin, sum(runner.made for runner in runners)
    for runner in runners:
        runner.duration = duration * (runner.made / total if total else 1 / len(runners))
    return runners, stopped


def _history(path: Path, case: Case, host: Host, stored: StoredCase | None, fail_on_hazard: bool) -> HistoryWriter:
    ran_on = Surroundings(backend=host.backend, versions=host.versions)
    part = stored.next_part if stored else 1
    return HistoryWriter(path, case, ran_on, part=part, fail_on_hazard=fail_on_hazard)
