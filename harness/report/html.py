"""A run as one HTML page that needs nothing else: the verdict first, then each case with its timelines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.advice import Advice, advise
from harness.cases import withheld
from harness.records import OutcomeName, Trial
from harness.report.headline import headline
from harness.report.page import FILE, render_page, write_page
from harness.report.sentences import VERDICT_ORDER, by_gravity, main_findings
from harness.report.timeline import Timeline
from harness.report.witness import Witness, find_record, find_witnesses
from harness.result import CaseResult, FindingResult, RunResult
from harness.store.history import file_name
from harness.store.runs import CASES
from harness.store.stored_case import StoredCase

# A bar and its row in the table take 300 bytes: so many make a page of 0.9 MB. The gravest cases get the room first.
MOST_BARS_OF_A_PAGE = 3000


@dataclass(frozen=True)
class Figure:
    """A timeline with its caption."""

    timeline: Timeline
    caption: str
    trial: int | None
    """None: it shows a control."""

    @property
    def views(self) -> str:
        """The views as the page's script reads them: name, begin, length."""
        return json.dumps([[view.name, view.begin, round(view.length, 3)] for view in self.timeline.views])


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
    figures: tuple[Figure, ...]
    declarations: tuple[Declaration, ...]
    advice: tuple[Advice, ...]
    secrets: str
    """The options that a replay needs, because what they gave is not stored; with a space before them."""
    left_out: bool
    """It has a timeline for which the page has no room."""


def write_html(directory: Path, result: RunResult) -> Path:
    """Write `report.html` into the directory of a stored run: its path. Raises BadInput: a history cannot be read, or
    the page cannot be written."""
    return write_page(directory / FILE, render(directory, result))


def render(directory: Path, result: RunResult, trial: int | None = None) -> str:
    """The page of a stored run. With a `trial`, that one of each case is shown instead of those of its findings. Raises
    BadInput: a history cannot be read, or has no such trial."""
    return render_page(
        "report.html.j2",
        headline(result),
        scripts=["report.js"],
        styles=["report.css"],
        run=result,
        counts=Counter(case.verdict for case in result.cases),
        order=VERDICT_ORDER,
        sections=_sections(directory, result, trial),
        seconds=sum(case.duration_s for case in result.cases),
    )


def _sections(directory: Path, result: RunResult, trial: int | None) -> list[Section]:
    room = MOST_BARS_OF_A_PAGE
    sections = []
    for number, case in enumerate(by_gravity(result.cases), 1):
        path = directory / CASES / file_name(case.case)
        stored = StoredCase(path) if path.is_file() else None
        witnesses: Sequence[Witness] = ()
        if stored is not None:
            witnesses = find_witnesses(stored, case) if trial is None else [find_record(stored, trial)]
        figures = [_figure(witness, case, named=trial is not None) for witness in witnesses]
        paths = list(dict.fromkeys(request.path for request in stored.case.requests)) if stored else ["/"]
        fitting = []
        for figure in figures:
            bars = len(figure.timeline.bars)
            if bars <= room:
                room -= bars
                fitting.append(figure)
        sections.append(
            Section(
                anchor=f"case-{number}",
                result=case,
                findings=tuple(main_findings(case)),
                figures=tuple(fitting),
                declarations=_declarations(stored, case) if stored is not None else (),
                advice=advise(case, paths),
                secrets=f" {withheld.options(stored.case)}".rstrip() if stored else "",
                left_out=len(fitting) < len(figures),
            )
        )
    return sections


def _figure(witness: Witness, case: CaseResult, *, named: bool) -> Figure:
    trial = witness.record.number if isinstance(witness.record, Trial) else None
    if trial is None:
        caption = "the same requests one after another, on a cold process"
    elif any(finding.trial == trial for finding in case.findings):
        caption = "a cold process and its simultaneous first requests"
    elif case.verdict == "hazard" and not named:
        caption = "of all trials the one with the longest initialisation inside a request"
    else:
        caption = "one of the trials"
    return Figure(witness.timeline(), caption, trial)


def _declarations(stored: StoredCase, case: CaseResult) -> tuple[Declaration, ...]:
    expectation = stored.case.expectation
    if expectation is None:
        return ()
    rows = [
        Declaration(name, outcome.grade, outcome.why, case.outcomes.get(name, 0))
        for name, outcome in expectation.outcomes.items()
    ]
    rows += [
        Declaration(name, "not declared", "no outcome of that name is declared, so the case fails", count)
        for name, count in case.outcomes.items()
        if name not in expectation.outcomes
    ]
    return tuple(rows)
