"""A run: several cases one after another, their results directory, and what the machine was."""

from __future__ import annotations

import contextlib
import datetime
import os
import platform
import secrets
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, Protocol

import msgspec
import psutil

from harness import __version__
from harness.bench.records import BENCH_FILE
from harness.cases.case import Case
from harness.errors import BadInput, MissingRuntime
from harness.hosting.backend import Backend
from harness.load.client import LocustClient
from harness.records import BackendName, Lane, ThreadOrder
from harness.result import (
    SCHEMA_VERSION,
    CaseResult,
    RunResult,
    SkippedCase,
    case_result,
    encode,
)
from harness.run.runner import grade_history
from harness.run.turns import in_turns, run_cases
from harness.runtimes.building import Runtime
from harness.runtimes.compiling import check_syntax
from harness.search.explorer import explore_case
from harness.store.history import file_name
from harness.verdict import Tally


class Watcher(Protocol):
    """Is told how a run goes on."""

    def case_begins(self, case: Case) -> None: ...
    def case_goes_on(self, case: Case, tally: Tally) -> None: ...
    def case_ends(self, case: Case, result: CaseResult) -> None: ...
    def case_skipped(self, case: Case, reason: str) -> None: ...


class Silent:
    """Tells nobody."""

    def case_begins(self, case: Case) -> None:
        pass

    def case_goes_on(self, case: Case, tally: Tally) -> None:
        pass

    def case_ends(self, case: Case, result: CaseResult) -> None:
        pass

    def case_skipped(self, case: Case, reason: str) -> None:
        pass


class Session:
    """Runs cases and keeps what they leave in `results/<run>/`. A context manager around the Locust subprocess."""

    def __init__(self, results: Path, flights: int | None = None, *, users: int = 15) -> None:
        self.run = new_run_name()
        self.flights = flights or os.cpu_count() or 1
        self.directory = results / self.run
        self._users = users
        self._results: list[CaseResult] = []
        self._skipped: list[SkippedCase] = []
        self.environment = describe_machine()
        try:
            (self.directory / "cases").mkdir(parents=True)
        except OSError as error:
            raise BadInput(f"{self.directory}: results cannot be written: {error.strerror} (--results)") from error

    def __enter__(self) -> Session:
        self.locust = LocustClient(self._users * self.flights, self.directory / "locust.log").__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        self.locust.__exit__()

    def announce(self, cases: Sequence[Case]) -> None:
        """Write down what will be run, with which seeds, before anything is."""
        plan = {
            "run": self.run,
            "environment": self.environment,
            "cases": [{"case": case.id, "seed": case.seed, "trials": case.trials} for case in cases],
        }
        (self.directory / "run.json").write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=2))

    def history_path(self, case: Case) -> Path:
        return self.directory / "cases" / file_name(case.id)

    def run_one(self, case: Case, backend: Backend, watcher: Watcher) -> tuple[CaseResult, bool]:
        """Run one case: its result, and whether it was stopped. Raises HarnessError."""
        (result,), stopped = self.run_together([case], backend, watcher)
        return result, stopped

    def run_together(
        self, cases: Sequence[Case], backend: Backend, watcher: Watcher, *, fail_on_hazard: bool = False
    ) -> tuple[list[CaseResult], bool]:
        """Run cases that take turns (see `in_turns`): their results, and whether they were stopped. Raises
        HarnessError."""
        host = backend.host(cases[0], self.flights, schedules=[case.schedule for case in cases])
        for case in cases:
            watcher.case_begins(case)
        paths = [self.history_path(case) for case in cases]
        all_ran, stopped = run_cases(cases, host, self.locust, paths, self.flights, watcher.case_goes_on)
        results = []
        for ran in all_ran:
            result = case_result(
                ran.case,
                ran.tally,
                duration=ran.duration,
                backend=backend.name,
                versions=host.versions,
                stopped=stopped,
                fail_on_hazard=fail_on_hazard,
            )
            results.append(result)
            watcher.case_ends(ran.case, result)
        self._results += results
        return results, stopped

    def explore_one(
        self, case: Case, runtime: Runtime, watcher: Watcher, like: ThreadOrder | None = None
    ) -> CaseResult:
        """Run one case in the snapshot lane, its trials `like` an earlier one if one is told. Raises HarnessError."""
        check_syntax(runtime, case.script_path)
        watcher.case_begins(case)
        tally, duration = explore_case(case, runtime, self.history_path(case), self.flights, watcher.case_goes_on, like)
        result = case_result(
            case, tally, duration=duration, versions=runtime.versions, backend="local", lane="snapshot"
        )
        self._results.append(result)
        watcher.case_ends(case, result)
        return result

    def confirm(self, found: CaseResult, case: Case, backend: Backend) -> CaseResult:
        """Ask Apache for a race of the snapshot lane: confirmed if it shows one of that class. Raises HarnessError."""
        asked = case.model_copy(update={"id": f"{case.id}::apache", "full": False})
        result, _ = self.run_one(asked, backend, Silent())
        same = result.verdict == "race" and result.race_class == found.race_class
        told = msgspec.structs.replace(found, standing="confirmed" if same else "candidate")
        self._results[self._results.index(found)] = told
        return told

    def run_all(
        self,
        cases: Sequence[Case],
        backend: Backend,
        watcher: Watcher,
        *,
        fail_on_hazard: bool = False,
    ) -> RunResult:
        """Run the cases; a case whose runtime is missing is skipped. Raises HarnessError, with the results
        of the cases before it kept on disk."""
        self.announce(cases)
        status: Literal["complete", "interrupted"] = "interrupted"
        try:
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
        except KeyboardInterrupt:
            pass
        finally:
            result = self.result(status)
            self.write(result)
        return result

    def result(self, status: Literal["complete", "interrupted"]) -> RunResult:
        return RunResult(
            schema_version=SCHEMA_VERSION,
            run=self.run,
            status=status,
            environment=self.environment,
            cases=self._results,
            skipped=self._skipped,
        )

    def write(self, result: RunResult) -> None:
        """Write result.json, whole or not at all."""
        temporary = self.directory / ".result.json"
        temporary.write_bytes(encode(result))
        temporary.replace(self.directory / "result.json")


def new_run_name() -> str:
    """What a run is called: when it began, and a few digits that no other has."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def describe_machine() -> dict[str, Any]:
    """What a reader needs to know of the machine to compare two runs."""
    return {
        "harness": __version__,
        "python": platform.python_version(),
        "locust": version("locust"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": os.cpu_count(),
        "memory_mb": psutil.virtual_memory().total // 2**20,
        "load_average": [round(each, 2) for each in os.getloadavg()],
    }


def is_run(directory: Path) -> bool:
    """Did a run leave this directory?"""
    return (directory / "cases").is_dir() or (directory / BENCH_FILE).is_file()


def stored_run(name: str, results: Path) -> Path:
    """The directory of a stored run, by path or by its name in the results directory. Raises BadInput."""
    for directory in (Path(name), results / name):
        if is_run(directory):
            return directory
    known = sorted(each.name for each in results.iterdir() if is_run(each)) if results.is_dir() else []
    latest = f"; the latest is {known[-1]}" if known else ""
    raise BadInput(f"there is no stored run {name!r} in {results}{latest}")


class _StoredCase(msgspec.Struct):
    """What a result says of a case that its history does not."""

    case: str
    duration_s: float = 0.0
    backend: BackendName = "local"
    lane: Lane = "apache"
    versions: dict[str, str] = {}
    standing: Literal["confirmed", "candidate"] | None = None


class _StoredResult(msgspec.Struct):
    """The same of a run. Whatever else a version of the harness wrote is not looked at."""

    status: Literal["complete", "interrupted"] = "interrupted"
    environment: dict[str, Any] = {}
    skipped: list[SkippedCase] = []
    cases: list[_StoredCase] = []


def regrade(directory: Path) -> RunResult:
    """Judge the stored histories of a run anew. Raises BadInput."""
    old = _StoredResult()
    for name in ("run.json", "result.json"):  # of a run that was killed only the first is there
        with contextlib.suppress(OSError, msgspec.DecodeError):
            old = msgspec.json.decode((directory / name).read_bytes(), type=_StoredResult)
    finished = {each.case: each for each in old.cases} if (directory / "result.json").is_file() else {}
    return RunResult(
        schema_version=SCHEMA_VERSION,
        run=directory.name,
        status=old.status,
        environment=old.environment,
        cases=list(_regraded(directory, finished)),
        skipped=old.skipped,
    )


def _regraded(directory: Path, old: dict[str, _StoredCase]) -> Iterator[CaseResult]:
    for path in sorted((directory / "cases").glob("*.jsonl"), key=lambda each: each.stat().st_ctime):
        case, tally = grade_history(path)
        before = old.get(case.id)
        known = before or _StoredCase(case=case.id)
        judged = case_result(
            case,
            tally,
            duration=known.duration_s,
            backend=known.backend,
            lane=known.lane,
            versions=known.versions,
            stopped=before is None,
        )
        confirmed = known.standing == "confirmed" and judged.standing is not None
        yield msgspec.structs.replace(judged, standing="confirmed") if confirmed else judged
