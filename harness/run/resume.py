"""Finds an interrupted run that can go on where it stopped, or says why it cannot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from harness import __version__
from harness.cases.case import Case
from harness.cases.withheld import all_restored
from harness.checkers.rules import RULES
from harness.errors import BadInput
from harness.hosting.backend import Backend
from harness.run.session import InterruptedRun
from harness.store.plan import check_same, check_unchanged, locked, read_plan
from harness.store.runs import RESULT_FILE, read_result


class _CaseTime(msgspec.Struct):
    case: str = ""
    duration_s: float = 0.0


class _RunState(msgspec.Struct):
    status: str = "interrupted"
    cases: list[_CaseTime] = []


def interrupted_run(directory: Path) -> InterruptedRun:
    """The run in a directory. Raises BadInput: it is complete, still under way, or of another harness."""
    with locked(directory):
        state = read_result(directory, _RunState, [RESULT_FILE])
    if (directory / RESULT_FILE).is_file() and state.status == "complete":
        raise BadInput(f"run {directory.name} is complete: `harness report {directory.name}` shows it")
    plan = read_plan(directory, __version__)
    return InterruptedRun(directory, plan, {case.case: case.duration_s for case in state.cases})


def cases_to_resume(run: InterruptedRun, environment: Mapping[str, str], headers: Mapping[str, str]) -> list[Case]:
    """All cases of the run, with the variables and headers that are given once more: values that look like secrets were
    not stored. Raises BadInput: one of those is missing; the site, a script or a history has changed."""
    cases = all_restored(run.plan.all_cases(), environment, headers)
    check_unchanged(run.plan.run, run.plan.files, cases)
    for case in cases:
        stored = run.stored(case)
        if stored is None:
            continue
        if stored.rules != RULES:
            raise BadInput(f"run {run.plan.run} was judged by the rules of an older harness: start it anew")
        _ = stored.parts  # a damaged line must not cost minutes
    return cases


def check_same_runtimes(
    run: InterruptedRun, cases: Sequence[Case], versions_of: Callable[[Case], Mapping[str, str]]
) -> None:
    """Raises BadInput: a runtime is not what the cases that have begun ran on; MissingRuntime: it is not here."""
    known: set[str] = set()
    for case in cases:
        stored = run.stored(case)
        if stored is None or case.runtime in known:
            continue
        known.add(case.runtime)
        check_same(run.directory.name, case.runtime, stored.ran_on.versions, versions_of(case))


def versions_by(backend: Backend, parallel: int) -> Callable[[Case], Mapping[str, str]]:
    """What a backend would run a case on."""
    return lambda case: backend.host(case, parallel).versions
