"""The trials of a stored case that a reader should see, with each of their requests judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.checkers.answers import grade_answer, grade_later_answer
from harness.checkers.coldness import is_cold
from harness.checkers.controls import is_right
from harness.checkers.initialisation import ONCE, lazy_work
from harness.checkers.yardstick import Yardstick, count_work
from harness.errors import BadInput
from harness.records import Answer, Control, OutcomeName, Request, Trial
from harness.report.layout import RequestOutcomes, lay_out, name_answers
from harness.report.timeline import Timeline
from harness.result import CaseResult
from harness.store.stored_case import StoredCase

# One trial shows the race; a second one is worth its place only where it fails in another way.
_MOST_WITNESSES = 2


@dataclass(frozen=True)
class Witness:
    """A trial (of a broken case a control) that shows why the case has its verdict."""

    record: Trial | Control
    requests: tuple[Request, ...]
    outcomes: RequestOutcomes
    repeated: frozenset[str]
    """Kinds of initialisation that a process of it did more often than any process of a control."""

    def timeline(self) -> Timeline:
        return lay_out(self.record, self.requests, self.outcomes, self.repeated)


def find_witnesses(stored: StoredCase, result: CaseResult) -> tuple[Witness, ...]:
    """The trials (of a broken case the control) that a reader of this result should see. Reads the history once and
    keeps those few records of it. Raises BadInput: the file is not a history."""
    if result.verdict == "broken":
        witnesses = [witness(control, stored.yardstick) for control in stored.controls]
        failing = [shown for shown in witnesses if any(name != "ok" for name, _ in shown.outcomes.values())]
        return tuple((failing or witnesses)[:1])
    numbers = _numbers(result)
    named: dict[int, Trial] = {}
    first: Trial | None = None
    longest = -1.0
    for trial in stored.trials():
        if trial.number in numbers:
            named[trial.number] = trial
        elif not numbers and is_cold(trial):
            # Of a hazard the trial with the longest wait for lazy work, of others any.
            length = max((lazy.milliseconds for lazy in lazy_work(trial) if lazy.waiters), default=0.0)
            if length > longest and (first is None or result.verdict == "hazard"):
                first, longest = trial, length
    chosen = [named[number] for number in numbers if number in named] or ([first] if first is not None else [])
    return tuple(witness(trial, stored.yardstick_of(trial.part)) for trial in chosen)


def find_record(stored: StoredCase, number: int | None) -> Witness:
    """One trial of a history; without a number the first, or a control where there is none. Raises BadInput: the file
    is not a history, or has no such trial."""
    record: Trial | Control | None = next((trial for trial in stored.trials() if number in (None, trial.number)), None)
    if record is None and number is None:
        record = next(iter(stored.controls), None)
    if record is None:
        which = f" {number}" if number else ""
        raise BadInput(f"{stored.path}: has no trial{which}")
    return witness(record, stored.yardstick_of(record.part))


def witness(record: Trial | Control, yardstick: Yardstick) -> Witness:
    """A record with each of its requests judged."""
    requests = yardstick.requests
    named = name_answers(record)
    if isinstance(record, Control):
        outcomes = {name: _judge_control(answer, requests) for name, answer in named.items()}
        return Witness(record, requests, outcomes, frozenset())
    later = set(map(id, record.follow_up))
    repeated = {
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
        frozenset(repeated),
    )


def _numbers(result: CaseResult) -> list[int]:
    """The trials that its findings name: that of the gravest, and one more where it shows another outcome."""
    if result.verdict not in ("race", "inconclusive"):
        return []
    numbers: dict[int, OutcomeName] = {}
    for finding in sorted(result.findings, key=lambda finding: finding.race_class != result.race_class):
        if finding.trial is not None and finding.outcome not in numbers.values():
            numbers.setdefault(finding.trial, finding.outcome)
    return list(numbers)[:_MOST_WITNESSES]


def _judge_control(answer: Answer, requests: Sequence[Request]) -> tuple[OutcomeName, str]:
    """The outcome of one answer of a control, and what happened in words."""
    if answer.failure == "open":
        return "hang", "got no answer, one request at a time too"
    if answer.failure is not None or answer.status is None:
        return "error", f"got no answer ({answer.failure}), one request at a time too"
    if is_right(answer, requests[answer.request]):
        return "ok", ""
    return "error", f"got status {answer.status}, one request at a time too"
