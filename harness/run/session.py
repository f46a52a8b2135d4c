"""A run: several cases one after another, and the directory that keeps what they leave."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import psutil

from harness import __version__
from harness.cases.case import Case
from harness.errors import HarnessError, MissingRuntime
from harness.hosting.backend import Backend
from harness.hosting.capacity import check_room
from harness.load.client import LocustClient
from harness.records import BackendName, Lane
from harness.result import SCHEMA_VERSION, CaseResult, RunError, RunResult, SkippedCase, case_result, encode
from harness.run.turns import in_turns, run_cases
from harness.store.history import file_name, is_begun
from harness.store.plan import RunPlan, Settings, locked
from harness.store.runs import CASES, RESULT_FILE, make_run_directory, write_whole
from harness.store.stored_case import StoredCase
from harness.verdict import Tally


def describe_machine() -> dict[str, Any]:
    """What a reader needs to know of the machine to compare two runs."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "locust": version("locust"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "load_average": [round(average, 2) for average in os.getloadavg()],
    }


class Watcher(Protocol):
    """Receives progress events."""

    def case_begins(self, case: Case) -> None: ...
    def case_goes_on(self, case: Case, tally: Tally) -> None: ...
    def case_ends(self, case: Case, result: CaseResult) -> None: ...
    def case_skipped(self, case: Case, reason: str) -> None: ...


class SilentWatcher:
    """Ignores progress events."""

    def case_begins(self, case: Case) -> None: ...
    def case_goes_on(self, case: Case, tally: Tally) -> None: ...
    def case_ends(self, case: Case, result: CaseResult) -> None: ...
    def case_skipped(self, case: Case, reason: str) -> None: ...


@dataclass
class InterruptedRun:
    """A run that is resumed: its plan, and what it has of its cases."""

    directory: Path
    plan: RunPlan
    seconds: Mapping[str, float]
    """How long the cases took that its result has."""
    _stored: dict[str, StoredCase | None] = field(default_factory=dict)

    def trials(self, cases: Sequence[Case]) -> int:
        """How many trials it has. Raises BadInput: a history is damaged."""
        return sum(part.trials for case in cases if (stored := self.stored(case)) for part in stored.parts)

    def stored(self, case: Case) -> StoredCase | None:
        """What the history of a case has; None where nothing was written. Raises BadInput: it is damaged."""
        if case.id not in self._stored:
            path = self.directory / CASES / file_name(case.id)
            self._stored[case.id] = StoredCase(path) if is_begun(path) else None
        return self._stored[case.id]


class Session:
    """Runs cases and keeps histories and results in `results/<run>/`. A context manager around the Locust process."""

    def __init__(
        self,
        results: Path,
        parallel: int | None = None,
        *,
        users: int = 15,
        settings: Settings | None = None,
        resumed: InterruptedRun | None = None,
    ) -> None:
        """A new run in the directory `results`; or, where one is `resumed`, what is left of it. The `settings` are
        written down so that the run can be resumed."""
        self.parallel = parallel or os.cpu_count() or 1
        self._users = users * self.parallel
        check_room(results, self._users)
        self.directory = resumed.directory if resumed else make_run_directory(results, CASES)
        self.run = self.directory.name
        self._settings = settings or Settings()
        self._before = resumed
        self._results: list[CaseResult] = []
        self._error: RunError | None = None
        self._skipped: list[SkippedCase] = []
        self.environment = describe_machine()

    def __enter__(self) -> Session:
        with ExitStack() as opened:
            opened.enter_context(locked(self.directory))
            locust = LocustClient(self._users, self.directory / "locust.log")
            self.locust = opened.enter_context(locust)
            self._opened = opened.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def announce(self, cases: Sequence[Case], lane: Lane = "apache") -> None:
        """Write down what will be run, with which seeds and options, before it is run."""
        if self._before is not None:
            plan = self._before.plan.resumed_now(self.environment)
        else:
            settings = msgspec.structs.replace(self._settings, parallel=self.parallel)
            plan = RunPlan.of_cases(self.run, self.environment, cases, settings, lane)
        plan.write(self.directory)

    def before(self, case: Case) -> StoredCase | None:
        """What an interrupted run that is resumed here has of a case. Raises BadInput: a damaged history."""
        return self._before.stored(case) if self._before else None

    def history_path(self, case: Case) -> Path:
        return self.directory / CASES / file_name(case.id)

    def run_one(self, case: Case, backend: Backend, watcher: Watcher) -> tuple[CaseResult, bool]:
        """Run one case: its result, and whether Ctrl-C stopped it. Raises HarnessError."""
        (result,), stopped = self.run_together([case], backend, watcher)
        return result, stopped

    def run_together(
        self, cases: Sequence[Case], backend: Backend, watcher: Watcher, *, fail_on_hazard: bool = False
    ) -> tuple[list[CaseResult], bool]:
        """Run cases that take turns (see `in_turns`): their results, and whether Ctrl-C stopped them. Raises
        HarnessError."""
        host = backend.host(cases[0], self.parallel, schedules=[case.schedule for case in cases])
        for case in cases:
            watcher.case_begins(case)
        paths = [self.history_path(case) for case in cases]
        before = [self.before(case) for case in cases]
        try:
            runs, stopped = run_cases(
                cases,
                host,
                self.locust,
                paths,
                self.parallel,
                watcher.case_goes_on,
                before,
                fail_on_hazard=fail_on_hazard,
            )
        except MissingRuntime:
            raise
        except HarnessError as error:
            self._error = RunError(sentence=str(error), exit_code=error.exit_code)
            raise
        results = []
        for run, stored in zip(runs, before, strict=True):
            result = case_result(
                run.case,
                run.tally,
                duration=run.duration + (self.seconds_before(stored, len(cases)) if stored else 0.0),
                backend=backend.name,
                versions=host.versions,
                stopped=stopped,
                fail_on_hazard=fail_on_hazard,
            )
            results.append(result)
            watcher.case_ends(run.case, result)
        self._results += results
        return results, stopped

    def seconds_before(self, stored: StoredCase, together: int = 1) -> float:
        """How long a case took until its run was interrupted; of cases that ran `together`, its share."""
        assert self._before is not None
        return self._before.seconds.get(stored.case.id, stored.seconds / together)

    def take_over(
        self, cases: Sequence[Case], backend: BackendName, *, lane: Lane = "apache", fail_on_hazard: bool = False
    ) -> list[Case]:
        """Add the results of the cases that an interrupted run brought to their end; the others are returned. Raises
        BadInput."""
        left = []
        for case in cases:
            stored = self.before(case)
            tally = stored.so_far() if stored else None
            # Controls that were refused prove nothing of today: they are run again.
            if stored is None or tally is None or not tally.ended(case) or not (tally.trials or tally.broken):
                left.append(case)
                continue
            result = case_result(
                case,
                tally,
                duration=self.seconds_before(stored, len(cases)),
                backend=backend,
                lane=lane,
                versions=stored.ran_on.versions,
                fail_on_hazard=fail_on_hazard,
            )
            self._results.append(result)
        return left

    def result_of(self, case: Case) -> CaseResult:
        """The result of a case that is over."""
        return next(result for result in self._results if result.case == case.id)

    def add(self, result: CaseResult) -> None:
        """Add the result of a case whose history another runner wrote to this session's directory."""
        self._results.append(result)

    def correct(self, before: CaseResult, after: CaseResult) -> None:
        """Replace a result that was added."""
        self._results[self._results.index(before)] = after

    def run_all(
        self, cases: Sequence[Case], backend: Backend, watcher: Watcher, *, fail_on_hazard: bool = False
    ) -> RunResult:
        """Run the cases; a case whose runtime is missing is skipped. Raises HarnessError: the results of the cases
        before it are on disk."""
        self.announce(cases)
        status: Literal["complete", "interrupted"] = "interrupted"
        with self.kept(), contextlib.suppress(KeyboardInterrupt):
            for group in in_turns(cases):
                try:
                    left = self.take_over(group, backend.name, fail_on_hazard=fail_on_hazard)
                    stopped = False
                    if left:
                        _, stopped = self.run_together(left, backend, watcher, fail_on_hazard=fail_on_hazard)
                except MissingRuntime as error:
                    for case in left:
                        self._skipped.append(SkippedCase(case=case.id, reason=str(error)))
                        watcher.case_skipped(case, str(error))
                    continue
                if stopped:
                    break
            else:
                status = "complete"
        result = self.result(status)
        self.write(result)
        return result

    @contextlib.contextmanager
    def kept(self) -> Iterator[None]:
        """Whatever ends this block early: what was measured until then is on disk, with the reason."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, HarnessError):
                self._error = self._error or RunError(sentence=str(error), exit_code=error.exit_code)
            with contextlib.suppress(HarnessError):  # it may be the very disk that is full
                self.write(self.result("interrupted"))
            raise

    def result(self, status: Literal["complete", "interrupted"]) -> RunResult:
        return RunResult(
            schema_version=SCHEMA_VERSION,
            run=self.run,
            status=status,
            environment=self.environment,
            cases=self._results,
            skipped=self._skipped,
            error=self._error,
        )

    def write(self, result: RunResult) -> None:
        """Write result.json, whole or not at all."""
        write_whole(self.directory / RESULT_FILE, encode(result), "the result")
