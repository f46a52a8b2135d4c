"""The yardstick of a case: what its controls say is right, and what they show to be broken."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.checkers.controls import judge_controls
from harness.checkers.findings import Finding
from harness.checkers.template import Template
from harness.errors import Inconclusive
from harness.load.headers import COMPARED_HEADERS
from harness.records import Answer, Control, Inside, Request, State

CONTROLS = 2
"""A case begins with so many: what differs between them is volatile."""
# A request is given this many times the slowest control before anyone asks whether it hangs (design: >= 10).
GRACE_FACTOR = 10.0
# ... and at least this long, so that a busy machine is not mistaken for a hang.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class ExpectedAnswer:
    """The right answers to one request."""

    statuses: frozenset[int]
    body: Template
    headers: dict[str, Template]


@dataclass(frozen=True)
class Yardstick:
    """What trials are measured by. Built from all controls of a case, early and late."""

    requests: tuple[Request, ...]
    controls: tuple[Control, ...]
    expected: dict[int, ExpectedAnswer]
    work: Counter[str] = field(default_factory=Counter)
    """The largest count of spans of each kind that a process of a control had."""
    executed_again: Counter[str] = field(default_factory=Counter)
    state: dict[str, set[str | int | None]] = field(default_factory=dict)
    """What each entry of a process's state was after the controls; more than one value: it is volatile."""
    broken: Finding | None = None
    """Why the site is broken, one request at a time too."""
    inconclusive: str = ""
    """Why the controls prove nothing."""

    @classmethod
    def of(cls, requests: tuple[Request, ...], controls: Sequence[Control]) -> Yardstick:
        """Judge the controls, and learn from them. Raises BadInput: the question is wrong, not the site."""
        broken, inconclusive = None, ""
        try:
            broken = judge_controls(controls, requests)
        except Inconclusive as error:
            inconclusive = str(error)
        return cls._learnt(requests, controls, broken, inconclusive)

    @classmethod
    def refused(cls, requests: tuple[Request, ...], controls: Sequence[Control], why: str) -> Yardstick:
        """Of controls that are no answer to the question."""
        return cls._learnt(requests, controls, None, why)

    def extended(self, late: Control) -> Yardstick:
        """With what a late control has taught; it is not judged."""
        return self._learnt(self.requests, (*self.controls, late), self.broken, self.inconclusive)

    @classmethod
    def _learnt(
        cls, requests: tuple[Request, ...], controls: Sequence[Control], broken: Finding | None, inconclusive: str
    ) -> Yardstick:
        answers: dict[int, list[Answer]] = defaultdict(list)
        work: Counter[str] = Counter()
        again: Counter[str] = Counter()
        for control in controls:
            for answer in control.answers:
                answers[answer.request].append(answer)
            for inside in control.evidence.inside:
                work |= count_work(inside)
                again |= Counter(inside.executed_again)
        entries = [state.entries for control in controls for state in control.evidence.states]
        names = {name for state in entries for name in state}
        return cls(
            requests=requests,
            controls=tuple(controls),
            expected={request: _expected(given) for request, given in answers.items()},
            work=work,
            executed_again=again,
            state={name: {state.get(name) for state in entries} for name in names},
            broken=broken,
            inconclusive=inconclusive,
        )

    @property
    def begin(self) -> float:
        """When the first control was begun."""
        return self.controls[0].begin if self.controls else 0.0

    @property
    def grace(self) -> float:
        """How many seconds answers are waited for before a process that stands still is called a hang."""
        took = [answer.seconds for control in self.controls[:CONTROLS] for answer in control.answers]
        return max(GRACE_SECONDS, GRACE_FACTOR * max((each for each in took if each is not None), default=0.0))

    @property
    def reference(self) -> State | None:
        """The state that trials are compared with as they come."""
        states = (state for control in self.controls for state in control.evidence.states[:1])
        return next(states, None)


def _expected(answers: Sequence[Answer]) -> ExpectedAnswer:
    return ExpectedAnswer(
        statuses=frozenset(answer.status for answer in answers if answer.status is not None),
        body=Template.of([answer.body for answer in answers]),
        headers={name: Template.of([answer.headers.get(name, "") for answer in answers]) for name in COMPARED_HEADERS},
    )


def count_work(inside: Inside, before: float = float("inf")) -> Counter[str]:
    """How often each kind of initialisation was begun in a process, up to a moment."""
    return Counter(span.kind for span in inside.spans if span.kind != "request" and span.begin < before)
