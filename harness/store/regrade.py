"""Grades a stored run again, from its histories alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.records import BackendName, Lane
from harness.result import SCHEMA_VERSION, CaseResult, RunError, RunResult, SkippedCase, case_result
from harness.store.runs import RESULT_FILE, histories, read_result
from harness.store.stored_case import StoredCase


class CaseRecord(msgspec.Struct):
    """What a result says of a case that its history does not."""

    case: str
    duration_s: float = 0.0
    backend: BackendName = "local"
    lane: Lane = "apache"
    versions: dict[str, str] = {}
    standing: Literal["confirmed", "candidate"] | None = None

    @classmethod
    def of_stored(cls, stored: StoredCase) -> CaseRecord:
        """Where there is no result yet: what the history knows of it. Raises BadInput."""
        on = stored.ran_on
        return cls(stored.case.id, round(stored.seconds, 3), on.backend, on.lane, on.versions)


class RunRecord(msgspec.Struct):
    """What a result says of a run that its histories do not."""

    status: Literal["complete", "interrupted"] = "interrupted"
    environment: dict[str, Any] = {}
    skipped: list[SkippedCase] = []
    error: RunError | None = None
    cases: list[CaseRecord] = []


def regrade(directory: Path) -> RunResult:
    """The result of a stored run, by this version of the harness. Raises BadInput."""
    old = read_result(directory, RunRecord)
    finished = {case.case: case for case in old.cases} if (directory / RESULT_FILE).is_file() else {}
    cases = list(_regraded(directory, finished, complete=old.status == "complete"))
    return RunResult.of(old, schema_version=SCHEMA_VERSION, run=directory.name, cases=cases)


def _regraded(directory: Path, old: dict[str, CaseRecord], *, complete: bool) -> Iterator[CaseResult]:
    for path in histories(directory):
        stored = StoredCase(path)
        case, tally = stored.case, stored.tally()
        before = old.get(case.id)
        known = before or CaseRecord.of_stored(stored)
        judged = case_result(
            case,
            tally,
            duration=known.duration_s,
            backend=known.backend,
            lane=known.lane,
            versions=known.versions,
            stopped=stored.end.how == "stopped" if stored.end else before is None or not complete,
            fail_on_hazard=stored.fail_on_hazard,
            lost=stored.lost,
        )
        confirmed = known.standing == "confirmed" and judged.standing is not None
        yield msgspec.structs.replace(judged, standing="confirmed") if confirmed else judged
