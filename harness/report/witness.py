"""Which trials of a stored history a reader should see, and how each of their requests was judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.answers import grade_answer, grade_later_answer
from harness.checkers.coldness import is_cold
from harness.checkers.initialisation import ONCE, lazy_work
from harness.checkers.yardstick import Yardstick, count_work
from harness.errors import BadInput
from harness.records import Answer, Control, OutcomeName, Request, Trial
from harness.report.layout import RequestOutcomes, lay_out, name_answers
from harness.report.timeline import Timeline
from harness.result import CaseResult
from harness.store.stored_case import StoredCase


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


def find_witnesses(stored: StoredCase, result: CaseResult) -> tuple[Witness, ...]:
    """The trials (or the control) that a reader of this result should see. A few records are kept, not the history.

    Raises:
        BadInput: the file is not a history.
    """
    if result.verdict == "broken":
        failing = (control for control in stored.controls if _failing(control, stored.case.requests))
        shown: list[Trial | Control] = [next(failing, stored.controls[0])] if stored.controls else []
        return tuple(witness(record, stored.yardstick) for record in shown)
    wanted = _wanted(result)
    named: dict[int, Trial] = {}
    first: Trial | None = None
    longest = -1.0
    for trial in stored.trials():
        if trial.number in wanted:
            named[trial.number] = trial
        elif not wanted and is_cold(trial):
            # Of a hazard the trial with the longest wait for lazy work, of others any.
            length = max((lazy.milliseconds for lazy in lazy_work(trial) if lazy.waiters), default=0.0)
            if length > longest and (first is None or result.verdict == "hazard"):
                first, longest = trial, length
    chosen = [named[number] for number in wanted if number in named] or ([first] if first is not None else [])
    return tuple(witness(trial, stored.yardstick) for trial in chosen)


def find_record(stored: StoredCase, number: int | None) -> Witness:
    """One trial of a history; without a number the first, or a control where there is none.

    Raises:
        BadInput: the file is not a history, or has no such trial.
    """
    record: Trial | Control | None = next((each for each in stored.trials() if number in (None, each.number)), None)
    if record is None and number is None:
        record = next(iter(stored.controls), None)
    if record is None:
        which = f" {number}" if number else ""
        raise BadInput(f"{stored.path}: there is no trial{which} in it")
    return witness(record, stored.yardstick)


def witness(record: Trial | Control, yardstick: Yardstick) -> Witness:
    """A record with each of its requests judged."""
    requests = yardstick.requests
    named = name_answers(record)
    if isinstance(record, Control):
        graded = {name: _judge_control(answer, requests) for name, answer in named.items()}
        return Witness(record, requests, graded, frozenset())
    later = set(map(id, record.follow_up))
    twice = {
        kind
        for inside in record.evidence.inside
        for kind, count in count_work(inside).items()
        if kind in ONCE and count > max(yardstick.work[kind], 1)
    }
    return Witness(
        record,
        requests,
        {
            name: (grade_later_answer if id(answer) in later else grade_answer)(answer, record, yardstick)
            for name, answer in named.items()
        },
        frozenset(twice),
    )


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
    return any(_judge_control(answer, requests)[0] != "ok" for answer in control.answers)


def _judge_control(answer: Answer, requests: Sequence[Request]) -> tuple[OutcomeName, str]:
    """One answer of a control, as `harness.checkers.controls` sees it."""
    if answer.failure == "open":
        return "hang", "got no answer, one request at a time too"
    if answer.failure is not None or answer.status is None:
        return "error", f"got no answer ({answer.failure}), one request at a time too"
    declared = requests[answer.request].status if answer.request < len(requests) else None
    right = answer.status == declared if declared is not None else 200 <= answer.status < 400
    return ("ok", "") if right else ("error", f"got status {answer.status}, one request at a time too")
