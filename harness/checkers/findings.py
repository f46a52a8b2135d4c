"""What checkers produce."""

from __future__ import annotations

from harness.records import BrokenClass, OutcomeName, RaceClass, Record

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
GRAVITY: tuple[RaceClass, ...] = ("hang", "failed-request", "wrong-state", "duplicate-init")


class Finding(Record, frozen=True):
    """Something worth telling: an outcome with its evidence."""

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
    """Of the request, within its run: trial.user, as the probe knows it."""
    story: tuple[str, ...] = ()
    """What happened, in sentences; see story.py."""
    key: str = ""
    """Findings with the same key tell the same story; a report shows the first and counts the rest."""


class Lazy(Record, frozen=True):
    """A piece of initialisation that ran inside a request."""

    kind: str
    name: str
    milliseconds: float
    waiters: int
    """Other requests that were in the process meanwhile."""


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
    lazy: tuple[Lazy, ...]
    failed_checkers: tuple[str, ...] = ()
    end: float = 0.0
    """When the trial was over."""

    @property
    def races(self) -> set[RaceClass]:
        """The classes of the races that showed in it."""
        return {RACES[name] for name in self.outcomes if name in RACES}

    def counts(self, reload: bool) -> bool:
        """Does the verdict rest on it? `reload`: of a case that restarts by reload."""
        return self.effective or (reload and self.reloaded)
