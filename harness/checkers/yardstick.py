"""What the controls say is right: the answers of each request, and how often each initialisation runs."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.checkers.template import Template
from harness.load.headers import COMPARED_HEADERS
from harness.records import Answer, Control, Inside, Request


@dataclass(frozen=True)
class ExpectedAnswer:
    """The right answers to one request."""

    statuses: frozenset[int]
    body: Template
    headers: dict[str, Template]


@dataclass(frozen=True)
class Yardstick:
    """Built from all controls of a case, early and late."""

    requests: tuple[Request, ...]
    expected: dict[int, ExpectedAnswer]
    work: Counter[str] = field(default_factory=Counter)
    """The largest count of spans of each kind that a process of a control had."""
    executed_again: Counter[str] = field(default_factory=Counter)
    state: dict[str, set[str | int | None]] = field(default_factory=dict)
    """What each entry of a process's state was after the controls; more than one value: it is volatile."""

    @classmethod
    def of(cls, requests: tuple[Request, ...], controls: Sequence[Control]) -> Yardstick:
        answers: dict[int, list[Answer]] = defaultdict(list)
        work: Counter[str] = Counter()
        again: Counter[str] = Counter()
        for control in controls:
            for answer in control.answers:
                answers[answer.request].append(answer)
            for inside in control.inside:
                work |= count_work(inside)
                again |= Counter(inside.executed_again)
        expected = {
            request: ExpectedAnswer(
                statuses=frozenset(each.status for each in given if each.status is not None),
                body=Template.of([each.body for each in given]),
                headers={
                    name: Template.of([each.headers.get(name, "") for each in given]) for name in COMPARED_HEADERS
                },
            )
            for request, given in answers.items()
        }
        states = [each.entries for control in controls for each in control.states]
        names = {name for entries in states for name in entries}
        state = {name: {entries.get(name) for entries in states} for name in names}
        return cls(requests, expected, work, again, state)


def count_work(inside: Inside, before: float = float("inf")) -> Counter[str]:
    """How often each kind of initialisation was begun in a process, up to a moment."""
    return Counter(span.kind for span in inside.spans if span.kind != "request" and span.begin < before)
