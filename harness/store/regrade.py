"""A stored run judged anew, from its histories alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.records import BackendName, Lane
from harness.result import SCHEMA_VERSION, CaseResult, RunResult, SkippedCase, case_result
from harness.store.runs import PLAN_FILE, RESULT_FILE, histories
from harness.store.stored_case import StoredCase


class _CaseRecord(msgspec.Struct):
    """What a result says of a case that its history does not."""

    case: str
    duration_s: float = 0.0
    backend: BackendName = "local"
    lane: Lane = "apache"
    versions: dict[str, str] = {}
    standing: Literal["confirmed", "candidate"] | None = None


class _RunRecord(msgspec.Struct):
    """The same of a run. Whatever else a version of the harness wrote is not looked at."""

    status: Literal["complete", "interrupted"] = "interrupted"
    environment: dict[str, Any] = {}
    skipped: list[SkippedCase] = []
    cases: list[_CaseRecord] = []


def regrade(directory: Path) -> RunResult:
    """Judge the stored histories of a run anew. Raises BadInput."""
    old = _RunRecord()
    for name in (PLAN_FILE, RESULT_FILE):  # of a run that was killed only the first is there
        with contextlib.suppress(OSError, msgspec.DecodeError):
            old = msgspec.json.decode((directory / name).read_bytes(), type=_RunRecord)
    finished = {each.case: each for each in old.cases} if (directory / RESULT_FILE).is_file() else {}
    return RunResult(
        schema_version=SCHEMA_VERSION,
        run=directory.name,
        status=old.status,
        environment=old.environment,
        cases=list(_regraded(directory, finished)),
        skipped=old.skipped,
    )


def _regraded(directory: Path, old: dict[str, _CaseRecord]) -> Iterator[CaseResult]:
    for path in histories(directory):
        stored = StoredCase(path)
        case, tally = stored.case, stored.tally()
        before = old.get(case.id)
        known = before or _CaseRecord(case=case.id)
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
