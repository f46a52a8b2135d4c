"""Runs cases that are alike but for their schedule: their trials alternate on one host."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.cases.case import Case
from harness.hosting.host import Host
from harness.load.client import LocustClient
from harness.run.cores import Cores
from harness.run.runner import CaseRunner
from harness.store.history import HistoryWriter
from harness.verdict import Tally

Watch = Callable[[Case, Tally], None]


def in_turns(cases: Sequence[Case]) -> list[list[Case]]:
    """The cases in groups that take turns: neighbours that are alike but for their schedule. A script that is reloaded
    keeps its process, which is of one schedule."""
    groups = groupby(cases, lambda case: case.id if case.restart == "reload" else case.id.rpartition("::")[0])
    return [list(group) for _, group in groups]


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
        going = list(self._runners)
        turns = deque(going)
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
            for runner in [each for each in going if each not in turns and each not in under_way.values()]:
                going.remove(runner)
                self._host.end_schedule(runner.case.schedule)


@dataclass(frozen=True)
class CaseRun:
    """A case that was run, what it came to, and how long that took, in seconds: of cases that took turns, its share."""

    case: Case
    tally: Tally
    duration: float


def run_cases(
    cases: Sequence[Case], host: Host, locust: LocustClient, paths: Sequence[Path], flights: int, watch: Watch
) -> tuple[list[CaseRun], bool]:
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
    return [
        CaseRun(each.case, each.tally, duration * share) for each, share in zip(runners, shares, strict=True)
    ], stopped
