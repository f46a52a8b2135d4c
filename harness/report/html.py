"""A run as one HTML page that needs nothing else: the verdict first, then each case with its witness."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.advice import Advice, advise
from harness.records import OutcomeName, Trial, VerdictName
from harness.report.console import shown, verdict_text
from harness.report.page import FILE, Headline, render_page, write_page
from harness.report.timeline import Timeline
from harness.report.witness import Witness, find_record, find_witnesses
from harness.result import CaseResult, FindingResult, RunResult
from harness.store.history import file_name
from harness.store.runs import CASES
from harness.store.stored_case import StoredCase

# Bars in a page at most, which is what its size comes from (200 bytes a bar): the cases that matter most come first.
MOST_BARS_OF_A_PAGE = 3000
_NAMES: dict[VerdictName, str] = {"race": "a race", "broken": "a broken site", "hazard": "a hazard", "clean": "nothing"}
_ORDER: tuple[VerdictName, ...] = ("race", "broken", "inconclusive", "hazard", "clean")


@dataclass(frozen=True)
class ShownTimeline:
    """A timeline, and what it is a witness of."""

    timeline: Timeline
    caption: str
    trial: int | None


@dataclass(frozen=True)
class Declaration:
    """An outcome: how it was declared, and how often it was seen."""

    outcome: OutcomeName
    grade: str
    why: str
    count: int


@dataclass(frozen=True)
class Section:
    """A case on the page."""

    anchor: str
    result: CaseResult
    findings: tuple[FindingResult, ...]
    shown: tuple[ShownTimeline, ...]
    declared: tuple[Declaration, ...]
    advice: tuple[Advice, ...]
    left_out: bool
    """It has a witness for which the page has no room."""


def write_html(directory: Path, result: RunResult) -> Path:
    """Write `report.html` into the directory of a stored run: its path.

    Raises:
        BadInput: a history cannot be read, or the page cannot be written.
    """
    return write_page(directory / FILE, render(directory, result))


def render(directory: Path, result: RunResult, trial: int | None = None) -> str:
    """The page of a stored run. With a `trial`: that one of every case is shown, and not the witness of its findings.

    Raises:
        BadInput: a history cannot be read, or has no such trial.
    """
    return render_page(
        "report.html.j2",
        headline(result),
        scripts=["report.js"],
        styles=["report.css"],
        run=result,
        counts=Counter(case.verdict for case in result.cases),
        order=_ORDER,
        sections=_sections(directory, result, trial),
        story=story,
        views=_views,
        seconds=sum(case.duration_s for case in result.cases),
    )


# -- what is told ------------------------------------------------------------------------------------------------


def headline(result: RunResult) -> Headline:
    """The verdict of a whole run in a title and a sentence."""
    cases = result.cases
    unmet = [case for case in cases if not case.met]
    contradicted = [case for case in unmet if case.verdict != "inconclusive"]
    skipped = f" {len(result.skipped)} could not be run here." if result.skipped else ""
    cut = "The run was interrupted; this is what it kept. " if result.status != "complete" else ""
    if not cases:
        return Headline("open", "Nothing was run", f"{cut}{skipped}".strip())
    if contradicted:
        title = _what_is_wrong(contradicted, cases)
        named = ", ".join(f"{_short(case)}: {verdict_text(case)}" for case in contradicted[:3])
        more = f", and {len(contradicted) - 3} more" if len(contradicted) > 3 else ""
        return Headline("bad", title, f"{cut}{named}{more}.{skipped}")
    if unmet or result.status != "complete":
        title = f"{len(unmet)} of {_cases(cases)} prove{'s' * (len(unmet) == 1)} nothing" if unmet else "Not finished"
        return Headline("open", title, f"{cut}{unmet[0].reason}.{skipped}" if unmet else f"{cut}{skipped}".strip())
    declared = any(case.expected for case in cases)
    title = f"{_all(cases)} as expected" if declared else f"No race in {_cases(cases)}"
    return Headline("good", title, f"{_what_was_found(cases)}{skipped}")


def _what_is_wrong(contradicted: Sequence[CaseResult], cases: Sequence[CaseResult]) -> str:
    if any(case.expected for case in contradicted):
        return f"{len(contradicted)} of {_cases(cases)} {_are(contradicted)} not as expected"
    found = " and ".join(_NAMES[name] for name in _ORDER if any(case.verdict == name for case in contradicted))
    return f"{found[0].upper()}{found[1:]} in {len(contradicted)} of {_cases(cases)}"


def _what_was_found(cases: Sequence[CaseResult]) -> str:
    bounds = [case.upper_bound for case in cases if case.verdict in ("clean", "hazard") and case.upper_bound]
    races = sum(case.verdict == "race" for case in cases)
    told = f"{races} race{'s' * (races != 1)}, as declared. " if races else ""
    if bounds:
        told += (
            f"Where no race was seen, at most {100 * max(bounds):.1f} % of cold starts can still be bad, "
            f"at 95 % confidence: more trials lower that."
        )
    return told.strip()


def _cases(cases: Sequence[CaseResult]) -> str:
    return f"{len(cases)} case{'s' * (len(cases) != 1)}"


def _all(cases: Sequence[CaseResult]) -> str:
    return "The one case is" if len(cases) == 1 else f"All {len(cases)} cases are"


def _are(cases: Sequence[CaseResult]) -> str:
    return "is" if len(cases) == 1 else "are"


def _short(case: CaseResult) -> str:
    schedule = "" if case.schedule == "natural" else f", {case.schedule}"
    return f"{case.scenario} {case.script} ({case.hosting.mode}{schedule})"


def story(finding: FindingResult) -> Sequence[str]:
    """What happened, in sentences: the summary, then how it came about."""
    return [finding.summary, *finding.story]


# -- what is shown -----------------------------------------------------------------------------------------------


def _sections(directory: Path, result: RunResult, trial: int | None) -> list[Section]:
    """The cases, those first that a reader should see first."""
    room = MOST_BARS_OF_A_PAGE
    sections = []
    for number, case in enumerate(sorted(result.cases, key=_gravity), 1):
        path = directory / CASES / file_name(case.case)
        stored = StoredCase(path) if path.is_file() else None
        witnesses: Sequence[Witness] = ()
        if stored is not None:
            witnesses = find_witnesses(stored, case) if trial is None else [find_record(stored, trial)]
        found = [_shown(witness, case, trial is not None) for witness in witnesses]
        fitting = []
        for each in found:
            if len(each.timeline.bars) <= room:
                room -= len(each.timeline.bars)
                fitting.append(each)
        sections.append(
            Section(
                anchor=f"case-{number}",
                result=case,
                findings=tuple(shown(case)),
                shown=tuple(fitting),
                declared=_declared(stored, case),
                advice=advise(case, _paths(stored)),
                left_out=len(fitting) < len(found),
            )
        )
    return sections


def _shown(witness: Witness, case: CaseResult, chosen: bool) -> ShownTimeline:
    """A witness laid out; `chosen` by the reader, not by what was found."""
    trial = witness.record.number if isinstance(witness.record, Trial) else None
    return ShownTimeline(witness.timeline(), _caption(case, trial, chosen), trial)


def _views(timeline: Timeline) -> str:
    return json.dumps([[each.name, each.begin, round(each.length, 3)] for each in timeline.views])


def _paths(stored: StoredCase | None) -> list[str]:
    return list(dict.fromkeys(each.path for each in stored.case.requests)) if stored else ["/"]


def _gravity(case: CaseResult) -> tuple[bool, int]:
    return case.met, _ORDER.index(case.verdict)


def _caption(case: CaseResult, trial: int | None, chosen: bool) -> str:
    if trial is None:
        return "the same requests one after another, on a cold process"
    if any(each.trial == trial for each in case.findings):
        return "a cold process and its simultaneous first requests"
    if case.verdict == "hazard" and not chosen:
        return "of all trials the one with the longest initialisation inside a request"
    return "one of the trials"


def _declared(stored: StoredCase | None, case: CaseResult) -> tuple[Declaration, ...]:
    expectation = stored.case.expectation if stored else None
    if expectation is None:
        return ()
    rows = [
        Declaration(name, each.grade, each.why, case.outcomes.get(name, 0))
        for name, each in expectation.outcomes.items()
    ]
    rows += [
        Declaration(name, "not declared", "nobody declared it, so it fails the case", count)
        for name, count in case.outcomes.items()
        if name not in expectation.outcomes
    ]
    return tuple(rows)
