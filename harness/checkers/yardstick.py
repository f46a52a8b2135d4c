"""The yardstick of a case: which answers its controls show to be right, and what fails in them already."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from harness.checkers.controls import judge_controls
from harness.checkers.findings import Finding
from harness.checkers.shortage import void_reason
from harness.checkers.template import Template
from harness.errors import HarnessError, Inconclusive
from harness.load.headers import COMPARED_HEADERS
from harness.records import Answer, Control, Inside, Request, State

CONTROLS = 2
"""Controls at the start of a case: two, because what differs between them is volatile."""
# A hang is suspected only after this many times the slowest control: a race makes a request wait for a few others, and
# not for ten times a cold start.
GRACE_FACTOR = 10.0
# ... and never sooner, so that a pause of a busy machine is not mistaken for a hang.
GRACE_SECONDS = 5.0


@dataclass(frozen=True)
class ExpectedAnswer:
    """The right answers to one request."""

    statuses: frozenset[int]
    body: Template
    headers: dict[str, Template]


@dataclass(frozen=True)
class Yardstick:
    """What trials are compared with. Built from all controls of a case, early and late."""

    requests: tuple[Request, ...]
    controls: tuple[Control, ...]
    expected: dict[int, ExpectedAnswer]
    work: Counter[str] = field(default_factory=Counter)
    """Of each kind of span the most that one process of a control had."""
    executed_again: Counter[str] = field(default_factory=Counter)
    state: dict[str, set[str | int | None]] = field(default_factory=dict)
    """The values of each entry of the state after the controls; one with several values is volatile."""
    broken: Finding | None = None
    """Why the site is broken: it fails one request at a time too."""
    inconclusive: str = ""
    """Why the controls prove nothing."""

    @classmethod
    def of(cls, requests: tuple[Request, ...], controls: Sequence[Control]) -> Yardstick:
        """Judge the controls and learn from them. Raises BadInput: the controls show that the request is wrong, not the
        site."""
        broken, inconclusive = None, ""
        try:
            inconclusive = next(filter(None, map(void_reason, controls)), "")
            broken = None if inconclusive else judge_controls(controls, requests)
        except Inconclusive as error:
            inconclusive = str(error)
        except HarnessError:
            raise
        except Exception as error:  # noqa: BLE001 - a judge that fails must not pass for a site that does not
            inconclusive = f"the controls cannot be judged: {type(error).__name__}: {error}"
        return cls.unjudged(requests, controls, broken, inconclusive)

    def extended(self, late: Control) -> Yardstick:
        """This yardstick and what a late control adds; the control is not judged."""
        return self.unjudged(self.requests, (*self.controls, late), self.broken, self.inconclusive)

    @classmethod
    def unjudged(
        cls, requests: tuple[Request, ...], controls: Sequence[Control], broken: Finding | None, inconclusive: str
    ) -> Yardstick:
        """What the controls show to be right; whether they are broken or prove nothing is known already. Where they
        cannot be learned from, that makes the case inconclusive."""
        try:
            return cls._learned(requests, controls, broken, inconclusive)
        except Exception as error:  # noqa: BLE001 - what is right is not known then
            reason = f"nothing can be learned from the controls: {type(error).__name__}: {error}"
            return cls(requests, tuple(controls), {}, broken=broken, inconclusive=inconclusive or reason)

    @classmethod
    def _learned(
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
        """When the first control began."""
        return self.controls[0].begin if self.controls else 0.0

    @property
    def grace(self) -> float:
        """Seconds that an answer may take before an idle process is taken for a hanging one."""
        took = [answer.seconds or 0.0 for control in self.controls[:CONTROLS] for answer in control.answers]
        return max(GRACE_SECONDS, GRACE_FACTOR * max(took, default=0.0))

    @property
    def reference(self) -> State | None:
        """The state of the first control: a trial's state is recorded as its difference from this one."""
        states = (state for control in self.controls for state in control.evidence.states[:1])
        return next(states, None)


def _expected(answers: Sequence[Answer]) -> ExpectedAnswer:
    return ExpectedAnswer(
        statuses=frozenset(answer.status for answer in answers if answer.status is not None),
        body=Template.of([answer.body for answer in answers]),
        headers={name: Template.of([answer.headers.get(name, "") for answer in answers]) for name in COMPARED_HEADERS},
    )


def count_work(inside: Inside, before: float = float("inf")) -> Counter[str]:
    """How often each kind of initialisation began in a process before a moment."""
    return Counter(span.kind for span in inside.spans if span.kind != "request" and span.begin < before)
