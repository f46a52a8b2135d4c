"""Which trials of a stored history a reader should see, and how each of their requests was judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cases.case import Case
from harness.checkers.answers import grade_answer
from harness.checkers.coldness import is_cold
from harness.checkers.initialisation import ONCE, lazy_work
from harness.checkers.yardstick import Yardstick, count_work
from harness.errors import BadInput
from harness.records import Answer, Control, OutcomeName, Request, Trial
from harness.report.layout import RequestOutcomes, lay_out, name_answers
from harness.report.timeline import Timeline
from harness.result import CaseResult
from harness.store.history import read, read_case


@dataclass(frozen=True)
class Witness:
    """A trial (or a control, of a case that is broken) that shows what a case has come to."""

    record: Trial | Control
    requests: tuple[Request, ...]
    graded: RequestOutcomes
    twice: frozenset[str]
    """Kinds of initialisation of which a process of it did more than any process of a control."""

    def timeline(self) -> Timeline:
        return lay_out(self.record, self.requests, self.graded, self.twice)


@dataclass(frozen=True)
class Stored:
    """A case as its history has it, with the few records of it that are to be shown."""

    case: Case
    witnesses: tuple[Witness, ...]


def find_witnesses(path: Path, result: CaseResult) -> Stored:
    """The case of a history and its witnesses. Reads a line at a time: a few records are kept, not the history.

    Raises:
        BadInput: the file is not a history.
    """
    case = read_case(path)
    wanted = _wanted(result)
    controls: list[Control] = []
    found: dict[int, Trial] = {}
    first: Trial | None = None
    longest = -1.0
    for each in read(path):
        if isinstance(each, Control):
            controls.append(each)
        elif each.number in wanted:
            found[each.number] = each
        elif not wanted and is_cold(each):
            # Of a hazard the trial with the longest wait for lazy work, of others any.
            length = max((lazy.milliseconds for lazy in lazy_work(each) if lazy.waiters), default=0.0)
            if length > longest and (first is None or result.verdict == "hazard"):
                first, longest = each, length
    baseline = Yardstick.of(case.requests, controls)
    shown: list[Trial | Control] = [found[number] for number in wanted if number in found]
    if result.verdict == "broken":
        shown = [next((each for each in controls if _failing(each, case.requests)), controls[0])] if controls else []
    elif not shown and first is not None:
        shown = [first]
    return Stored(case, tuple(witness(each, case.requests, baseline) for each in shown))


def find_record(path: Path, number: int | None) -> Stored:
    """One trial of a history; without a number the first, or a control where there is none.

    Raises:
        BadInput: the file is not a history, or has no such trial.
    """
    case = read_case(path)
    controls: list[Control] = []
    chosen: Trial | None = None
    for each in read(path):
        if isinstance(each, Control):
            controls.append(each)
        elif chosen is None and number in (None, each.number):
            chosen = each
    record = controls[0] if number is None and chosen is None and controls else chosen
    if record is None:
        raise BadInput(f"{path}: there is no trial {number} in it" if number else f"{path}: there is no trial in it")
    return Stored(case, (witness(record, case.requests, Yardstick.of(case.requests, controls)),))


def witness(record: Trial | Control, requests: tuple[Request, ...], baseline: Yardstick) -> Witness:
    """A record with each of its requests judged."""
    if isinstance(record, Control):
        graded = {name: _judge_control(each, record, requests) for name, each in name_answers(record).items()}
        return Witness(record, requests, graded, frozenset())
    graded = {}
    for name, answer in name_answers(record).items():
        outcome, what = grade_answer(answer, record, baseline)
        if ".f" in name and outcome in ("error", "wrong", "hang", "crash"):
            outcome, what = "poisoned", f"after the stampede, one request at a time, still {what}"
        graded[name] = (outcome, what)
    twice = {
        kind
        for inside in record.inside
        for kind, count in count_work(inside).items()
        if kind in ONCE and count > max(baseline.work[kind], 1)
    }
    return Witness(record, requests, graded, frozenset(twice))


def _wanted(result: CaseResult) -> list[int]:
    """The trials that its findings name: of the gravest first, and one more where it shows something else."""
    if result.verdict not in ("race", "inconclusive"):
        return []
    told = [each for each in result.findings if each.trial is not None]
    told.sort(key=lambda each: each.race_class != result.race_class)
    wanted: dict[int, OutcomeName] = {}
    for finding in told:
        assert finding.trial is not None
        if finding.outcome not in wanted.values():
            wanted.setdefault(finding.trial, finding.outcome)
    return list(wanted)[:2]


def _failing(control: Control, requests: Sequence[Request]) -> bool:
    return any(_judge_control(each, control, requests)[0] != "ok" for each in control.answers)


def _judge_control(answer: Answer, control: Control, requests: Sequence[Request]) -> tuple[OutcomeName, str]:
    """One answer of a control, as `harness.checkers.controls` sees it."""
    if answer.failure == "open":
        return "hang", "got no answer, one request at a time too"
    if answer.failure is not None or answer.status is None:
        return "error", f"got no answer ({answer.failure}), one request at a time too"
    declared = requests[answer.request].status if answer.request < len(requests) else None
    right = answer.status == declared if declared is not None else 200 <= answer.status < 400
    return ("ok", "") if right else ("error", f"got status {answer.status}, one request at a time too")
