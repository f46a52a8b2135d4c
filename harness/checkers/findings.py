"""What checkers produce: findings, lazy work, and the grade of a trial."""

from __future__ import annotations

from typing import Literal

from harness.records import BrokenClass, Failure, OutcomeName, RaceClass, Record

# Outcomes that are a race when the control has none of them, gravest class first.
RACES: dict[OutcomeName, RaceClass] = {
    "hang": "hang",
    "error": "failed-request",
    "wrong": "failed-request",
    "crash": "failed-request",
    "poisoned": "failed-request",
    "wrong-state": "wrong-state",
    "duplicate-init": "duplicate-init",
}
# Answers that came, and that no client can use.
BAD_ANSWERS: dict[Failure, str] = {
    "truncated": "an answer that the server ended early",
    "malformed": "an answer that no client can read",
}
GRAVITY: tuple[RaceClass, ...] = ("hang", "failed-request", "wrong-state", "duplicate-init")


class Cause(Record, frozen=True):
    """What the record shows a failed request to lead to; see cause.py."""

    kind: Literal["module", "object", "code"]
    """A module that was still being executed, an object that threads share, or the code that failed."""
    module: str
    """Its name: of an object with the name that it hangs from."""
    file: str
    line: int
    """Where it failed: the innermost line outside the standard library."""
    proof: str
    """What the record shows, as a sentence."""


class Finding(Record, frozen=True):
    """A bad outcome with its evidence."""

    outcome: OutcomeName
    summary: str
    """One sentence."""
    trial: int | None = None
    request: str = ""
    process: str = ""
    race_class: RaceClass | None = None
    broken_class: BrokenClass | None = None
    evidence: tuple[str, ...] = ()
    name: str = ""
    """The request's name within its run, as the probe knows it: `trial.user`."""
    story: tuple[str, ...] = ()
    """What happened, in sentences; see story.py."""
    kind: str = ""
    """For duplicate-init the kind of initialisation, or `module` for a module that was executed again; `state` for an
    entry of the state; `import` for a hang in which threads wait for an import."""
    subject: str = ""
    """The entry of the process's state."""
    module: str = ""
    """The module that was executed again."""
    error: str = ""
    """`Type: message` of what the request raised."""
    place: str = ""
    """Where that was raised: `file:line`."""
    cause: Cause | None = None
    key: str = ""
    """Findings with the same key tell the same story; a report shows the first and counts the rest."""


class LazyWork(Record, frozen=True):
    """A piece of initialisation that ran inside a request."""

    kind: str
    name: str
    milliseconds: float
    waiters: int
    """How many other requests were in the process meanwhile."""


class TrialGrade(Record, frozen=True):
    """A trial, judged."""

    number: int
    cold: bool
    reloaded: bool
    requests: int
    effective: bool
    exposed: bool
    outcomes: dict[OutcomeName, int]
    findings: tuple[Finding, ...]
    lazy: tuple[LazyWork, ...]
    failed_checkers: tuple[str, ...] = ()
    void: str = ""
    """Why it proves nothing, whatever it showed: then nothing else of it was judged."""
    end: float = 0.0
    """When the trial was over."""

    @property
    def races(self) -> set[RaceClass]:
        """The classes of races that it showed."""
        return {RACES[name] for name in self.outcomes if name in RACES}

    def counts(self, reload: bool) -> bool:
        """Does the verdict rest on this trial? `reload`: its case restarts by reload."""
        return self.effective or (reload and self.reloaded)
