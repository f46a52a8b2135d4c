"""A run: several cases one after another, and the directory that keeps what they leave."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Sequence
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
from harness.result import SCHEMA_VERSION, CaseResult, RunError, RunResult, SkippedCase, case_result, encode
from harness.run.turns import in_turns, run_cases
from harness.store.history import file_name
from harness.store.runs import CASES, PLAN_FILE, RESULT_FILE, make_run_directory, write_whole
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


class Session:
    """Runs cases and keeps histories and results in `results/<run>/`. A context manager around the Locust process."""

    def __init__(self, results: Path, parallel: int | None = None, *, users: int = 15) -> None:
        self.parallel = parallel or os.cpu_count() or 1
        self._users = users * self.parallel
        check_room(results, self._users)
        self.directory = make_run_directory(results, CASES)
        self.run = self.directory.name
        self._results: list[CaseResult] = []
        self._error: RunError | None = None
        self._skipped: list[SkippedCase] = []
        self.environment = describe_machine()

    def __enter__(self) -> Session:
        self.locust = LocustClient(self._users, self.directory / "locust.log").__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.locust.__exit__()

    def announce(self, cases: Sequence[Case]) -> None:
        """Write down what will be run, with which seeds, before it is run."""
        plan = {
            "run": self.run,
            "environment": self.environment,
            "cases": [{"case": case.id, "seed": case.seed, "trials": case.trials} for case in cases],
        }
        content = msgspec.json.format(msgspec.json.encode(plan), indent=2)
        write_whole(self.directory / PLAN_FILE, content, "the plan of the run")

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
        try:
            runs, stopped = run_cases(
                cases,
                host,
                self.locust,
                paths,
                self.parallel,
                watcher.case_goes_on,
                fail_on_hazard=fail_on_hazard,
            )
        except MissingRuntime:
            raise
        except HarnessError as error:
            self._error = RunError(sentence=str(error), exit_code=error.exit_code)
            raise
        results = []
        for run in runs:
            result = case_result(
                run.case,
                run.tally,
                duration=run.duration,
                backend=backend.name,
                versions=host.versions,
                stopped=stopped,
                fail_on_hazard=fail_on_hazard,
            )
            results.append(result)
            watcher.case_ends(run.case, result)
        self._results += results
        return results, stopped

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
                    _, stopped = self.run_together(group, backend, watcher, fail_on_hazard=fail_on_hazard)
                except MissingRuntime as error:
                    for case in group:
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
