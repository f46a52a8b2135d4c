"""`result.json` and `--json`: the frozen format that other programs read, and its JSON schema."""

from __future__ import annotations

import dataclasses
import typing
from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, field

from harness.cases.case import Case
from harness.checkers.findings import Cause, Finding
from harness.records import (
    BackendName,
    BrokenClass,
    Lane,
    Mode,
    Mpm,
    OutcomeName,
    RaceClass,
    Record,
    RestartMethod,
    Schedule,
    VerdictName,
)
from harness.verdict import Tally, conclude, left_behind, undeclared, unmet

SCHEMA_VERSION: Literal[1] = 1
_HAZARD_NAMES = 8  # names listed of one kind of hazard, the most frequent first: about a line of a report

Count = Annotated[int, Meta(ge=0)]


class HostingResult(Record, frozen=True):
    mode: Mode
    mpm: Mpm
    processes: Count
    threads: Count
    application_group: str


class Hazard(Record, frozen=True):
    """One kind of initialisation that ran inside requests."""

    kind: str
    count: Annotated[int, Meta(ge=0, description="how often it ran inside a request, over all cold trials")]
    max_ms: Annotated[float, Meta(ge=0, description="the longest, milliseconds")]
    max_waiters: Annotated[int, Meta(ge=0, description="the most other requests in the process meanwhile")]
    names: list[str]


class CaseResult(Record, frozen=True):
    """One case: what ran, what was seen, and the verdict."""

    case: str
    scenario: str
    site: str
    script: str
    runtime: str
    backend: BackendName
    lane: Lane
    schedule: Schedule
    hosting: HostingResult
    restart: RestartMethod
    seed: Count
    trials: Count
    cold_trials: Count
    reload_trials: Count
    effective_trials: Count
    exposed_trials: Count
    requests: Count
    outcomes: dict[OutcomeName, Count]
    bad_trials: Count
    first_bad_trial: Annotated[int | None, Meta(description="the trial that was bad first")]
    first_bad_s: Annotated[float | None, Meta(description="seconds from the first control to the end of that trial")]
    verdict: VerdictName
    reason: str
    race_class: RaceClass | None
    broken_class: BrokenClass | None
    expected: Annotated[
        str | None, Meta(description="a verdict, or several with | between them; null where nothing is declared")
    ]
    met: bool
    unmet: list[str]
    upper_bound: Annotated[
        float | None, Meta(description="largest rate of bad trials left possible at 95 % by 0 in effective_trials")
    ]
    hazards: list[Hazard]
    lazy_in_request: Annotated[int, Meta(ge=0, description="the most pieces of initialisation in requests of a trial")]
    findings: list[FindingResult]
    versions: dict[str, str]
    cold_proof: Literal["probe", "external"]
    duration_s: Annotated[float, Meta(ge=0)]
    standing: Annotated[
        Literal["confirmed", "candidate"] | None,
        Meta(description="of a race found in the snapshot lane: seen in the Apache lane too, or not (yet)"),
    ] = None
    left_behind: Annotated[
        str, Meta(description="what the site's processes had left running when they ended, in a sentence; else empty")
    ] = ""
    left_processes: Annotated[dict[str, Count], Meta(description="how many of them, by their command")] = field(
        default_factory=dict
    )

    lost: Annotated[list[str], Meta(description="what its record lacks, in sentences")] = field(default_factory=list)
    planned_trials: Annotated[
        int, Meta(ge=0, description="the most trials that it was to have; 0 in results that do not say")
    ] = 0
    stopped: Annotated[bool, Meta(description="ended before those trials were made, and before its race was seen")] = (
        False
    )

    @property
    def verdict_text(self) -> str:
        """The verdict with its class: `race (duplicate-init)`."""
        kind = self.race_class or self.broken_class
        return f"{self.verdict} ({kind})" if kind else self.verdict

    @property
    def judged_trials(self) -> int:
        """The trials that the verdict rests on."""
        return self.reload_trials if self.restart == "reload" else self.effective_trials


class FindingResult(Record, frozen=True):
    """The first finding with its key, and how many there were."""

    outcome: OutcomeName
    race_class: RaceClass | None
    count: Count
    summary: str
    trial: int | None
    request: str
    process: str
    evidence: list[str]
    story: Annotated[list[str], Meta(description="what happened in that trial, in sentences")] = field(
        default_factory=list
    )
    kind: Annotated[str, Meta(description="of initialisation, or module, state, import; else empty")] = ""
    subject: Annotated[str, Meta(description="the entry of the process's state")] = ""
    module: Annotated[str, Meta(description="the module that was executed again")] = ""
    error: Annotated[str, Meta(description="what a request raised, `Type: message`")] = ""
    place: Annotated[str, Meta(description="where it was raised, `file:line`")] = ""
    cause: Annotated[
        Cause | None, Meta(description="what the record shows it to lead to; null where it shows nothing")
    ] = None


class SkippedCase(Record, frozen=True):
    """A case that could not be run here."""

    case: str
    reason: str


class RunError(Record, frozen=True):
    """Why a run ended before its end."""

    sentence: str
    exit_code: Annotated[int, Meta(ge=2, le=3, description="2 bad input, 3 the server, Locust or the machine failed")]


class RunResult(Record, frozen=True):
    """A whole run."""

    schema_version: Literal[1]
    run: str
    status: Literal["complete", "interrupted"]
    environment: dict[str, Any]
    cases: list[CaseResult]
    skipped: list[SkippedCase]
    error: Annotated[RunError | None, Meta(description="null where it ran to its end")] = None


def case_result(
    case: Case,
    tally: Tally,
    *,
    duration: float,
    versions: dict[str, str],
    stopped: bool = False,
    fail_on_hazard: bool = False,
    backend: BackendName,
    lane: Lane = "apache",
    lost: Sequence[str] = (),
) -> CaseResult:
    """The result of a case, in the frozen format. `stopped`: its run was; the case may have come to its end before."""
    expectation = case.expectation
    cut_short = stopped and not tally.ended(case)
    verdict = conclude(tally, cut_short, expectation)
    if cut_short:
        reason = f"stopped after {tally.trials} of {case.trials} trials: {verdict.reason}"
        verdict = dataclasses.replace(verdict, reason=reason)
    reasons = unmet(verdict, tally, expectation, case.thresholds, fail_on_hazard)
    names = undeclared(tally, expectation)
    outcomes: dict[OutcomeName, int] = {}
    for name, count in sorted(tally.outcomes.items()):
        shown: OutcomeName = "unknown" if name in names else name
        outcomes[shown] = outcomes.get(shown, 0) + count
    return CaseResult.of(
        case,
        case=case.id,
        backend=backend,
        lane=lane,
        hosting=HostingResult.of(case),
        trials=tally.trials,
        cold_trials=tally.cold,
        reload_trials=tally.reloaded,
        effective_trials=tally.effective,
        exposed_trials=tally.exposed,
        requests=tally.requests,
        outcomes=outcomes,
        bad_trials=tally.bad,
        first_bad_trial=tally.first_bad,
        first_bad_s=None if tally.first_bad is None else round(max(0.0, tally.first_bad_end - tally.begin), 3),
        verdict=verdict.name,
        reason=verdict.reason,
        race_class=verdict.race_class,
        broken_class=verdict.broken_class,
        expected="|".join(expectation.verdicts) if expectation else None,
        met=not reasons,
        unmet=reasons,
        upper_bound=verdict.bound,
        hazards=[
            Hazard.of(
                hazard,
                kind=kind,
                names=[name for name in sorted(hazard.names, key=lambda name: (-hazard.names[name], name)) if name][
                    :_HAZARD_NAMES
                ],
            )
            for kind, hazard in sorted(tally.hazards.items(), key=lambda item: (-item[1].max_ms, item[0]))
        ],
        lazy_in_request=tally.lazy_in_request,
        findings=_findings(tally),
        versions=versions,
        cold_proof="external" if case.black_box else "probe",
        left_behind=left_behind(tally.leftovers) if tally.leftovers else "",
        left_processes=dict(Counter(left.command for left in tally.leftovers.processes)) if tally.leftovers else {},
        standing="candidate" if lane == "snapshot" and verdict.name == "race" else None,
        planned_trials=case.trials,
        stopped=cut_short,
        duration_s=round(duration, 3),
        lost=list(lost),
    )


def _findings(tally: Tally) -> list[FindingResult]:
    stories = sorted(tally.stories.items(), key=lambda item: (-item[1], item[0]))
    findings = [_finding(tally.examples[key][0], count) for key, count in stories if tally.examples.get(key)]
    return ([_finding(tally.broken, 1)] if tally.broken else []) + findings


def _finding(finding: Finding, count: int) -> FindingResult:
    return FindingResult.of(finding, count=count, evidence=list(finding.evidence), story=list(finding.story))


def exit_code(cases: list[CaseResult], status: str = "complete", error: RunError | None = None) -> int:
    """0: all expectations are met; 1: one is contradicted; else 3: one is undecided, or the run was stopped. A run that
    an `error` ended has the exit code of that error."""
    if error is not None:
        return error.exit_code
    if any(not case.met and case.verdict != "inconclusive" for case in cases):
        return 1
    if status != "complete" or any(not case.met for case in cases):
        return 3
    return 0


def schema() -> dict[str, Any]:
    """The JSON schema of a result."""
    generated = msgspec.json.schema(RunResult)
    # msgspec leaves out what keys an object may have.
    outcomes = generated["$defs"]["CaseResult"]["properties"]["outcomes"]
    outcomes["propertyNames"] = {"enum": sorted(typing.get_args(OutcomeName))}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "restart-harness result", **generated}


def encode(result: RunResult) -> bytes:
    """The result as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(result), indent=2) + b"\n"
