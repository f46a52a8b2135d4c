"""From graded trials to a verdict: counts, bounds, and whether the expectation is met."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.cases.scenario import Expectation, Thresholds
from harness.checkers.findings import GRAVITY, RACES, Finding, Lazy, TrialGrade
from harness.records import BrokenClass, OutcomeName, RaceClass, VerdictName

CONFIDENCE = 0.95
# Less than half of the trials effective: too little was tested of what was asked for.
MIN_EFFECTIVE_SHARE = 0.5
# A race that is expected is settled once it was seen, but its rate deserves a few trials.
SETTLED_AFTER = 10
EXAMPLES = 3


def upper_bound(trials: int, confidence: float = CONFIDENCE) -> float | None:
    """The largest rate that 0 bad in `trials` leaves possible at this confidence: 1 - (1-c)^(1/n), about 3/n.

    The exact (Clopper-Pearson) one-sided bound for zero events; "rule of three" is its approximation.
    """
    return None if trials < 1 else float(1 - (1 - confidence) ** (1 / trials))


@dataclass
class HazardTally:
    """One kind of lazy work over all trials."""

    count: int = 0
    max_ms: float = 0.0
    max_waiters: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def add(self, lazy: Lazy) -> None:
        self.count += 1
        self.max_ms = max(self.max_ms, lazy.milliseconds)
        self.max_waiters = max(self.max_waiters, lazy.waiters)
        if lazy.name in self.names or len(self.names) < 200:
            self.names[lazy.name] += 1


@dataclass
class Tally:
    """What a case has come to so far. Its size does not grow with the number of trials."""

    reload: bool = False
    begin: float = 0.0
    """When the first control was begun."""
    trials: int = 0
    cold: int = 0
    reloaded: int = 0
    effective: int = 0
    exposed: int = 0
    bad: int = 0
    requests: int = 0
    first_bad: int | None = None
    """The trial that was bad first, and when it was over."""
    first_bad_end: float = 0.0
    lazy_in_request: int = 0
    outcomes: Counter[OutcomeName] = field(default_factory=Counter)
    races: Counter[RaceClass] = field(default_factory=Counter)
    strays: Counter[OutcomeName] = field(default_factory=Counter)
    """Race outcomes of trials that were not effective: they prove nothing, and are not hidden."""
    stories: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Finding]] = field(default_factory=dict)
    hazards: dict[str, HazardTally] = field(default_factory=dict)
    failed_checkers: Counter[str] = field(default_factory=Counter)
    broken: Finding | None = None
    inconclusive: str = ""

    def add(self, grade: TrialGrade) -> None:
        self.trials += 1
        self.cold += grade.cold
        self.reloaded += grade.reloaded
        counts = grade.counts(self.reload)
        self.effective += grade.effective
        self.exposed += grade.exposed
        self.requests += grade.requests
        self.outcomes.update(grade.outcomes)
        found = grade.races
        if counts:
            self.bad += bool(found)
            if found and (self.first_bad is None or grade.end < self.first_bad_end):
                self.first_bad, self.first_bad_end = grade.number, grade.end
            self.races.update(found)
        else:
            self.strays.update({name: count for name, count in grade.outcomes.items() if name in RACES})
        for finding in grade.findings:
            self._remember(finding)
        if grade.cold or grade.reloaded:
            self.lazy_in_request = max(self.lazy_in_request, len(grade.lazy))
            for lazy in grade.lazy:
                self.hazards.setdefault(lazy.kind, HazardTally()).add(lazy)
        self.failed_checkers.update(grade.failed_checkers)

    def _remember(self, finding: Finding) -> None:
        key = finding.key if finding.key in self.stories or len(self.stories) < 100 else "(others)"
        self.stories[key] += 1
        examples = self.examples.setdefault(key, [])
        examples.append(finding)
        # By trial, not by who came first: a stored history must come to the same.
        examples.sort(key=lambda each: (each.trial or 0, each.summary))
        del examples[EXAMPLES:]

    @property
    def judged(self) -> int:
        """The trials that the verdict rests on."""
        return self.reloaded if self.reload else self.effective

    @property
    def race_class(self) -> RaceClass | None:
        """The gravest class seen."""
        return next((each for each in GRAVITY if self.races[each]), None)

    def settled(self, expectation: Expectation | None) -> bool:
        """May the case stop: is an expected race found?"""
        if expectation is None or expectation.verdicts != ("race",) or self.judged < SETTLED_AFTER:
            return False
        return bool(self.races[expectation.race_class] if expectation.race_class else self.races)


@dataclass(frozen=True)
class Verdict:
    """The verdict of a case and why."""

    name: VerdictName
    reason: str
    race_class: RaceClass | None = None
    broken_class: BrokenClass | None = None
    bound: float | None = None


def conclude(tally: Tally, stopped: bool = False, expectation: Expectation | None = None) -> Verdict:  # noqa: PLR0911
    """The verdict that a tally supports. `stopped`: the run ended before its time."""
    if tally.broken is not None:
        return Verdict("broken", tally.broken.summary, broken_class=tally.broken.broken_class)
    if tally.races:
        what = tally.race_class
        return Verdict("race", f"{tally.bad} of {tally.judged} trials were bad", race_class=what)
    if tally.inconclusive:
        return Verdict("inconclusive", tally.inconclusive)
    if tally.failed_checkers:
        return Verdict("inconclusive", min(tally.failed_checkers))
    if tally.strays:
        what_else = ", ".join(f"{count} {name}" for name, count in sorted(tally.strays.items()))
        return Verdict("inconclusive", f"{what_else} in trials that were not effective")
    if tally.outcomes["dropped"] and (expectation is None or "dropped" not in expectation.outcomes):
        return Verdict("inconclusive", f"{tally.outcomes['dropped']} requests were dropped, which nobody declared")
    if stopped and tally.judged < SETTLED_AFTER:
        return Verdict("inconclusive", f"stopped after {tally.trials} trials")
    if tally.judged < max(1, MIN_EFFECTIVE_SHARE * tally.trials):
        slow = f", {tally.outcomes['slow']} requests were slow" if tally.outcomes["slow"] else ""
        return Verdict(
            "inconclusive",
            f"only {tally.judged} of {tally.trials} trials were {'reloads' if tally.reload else 'effective'} "
            f"({tally.cold} cold{slow}): two requests must meet in one cold process",
        )
    bound = upper_bound(tally.judged)
    if any(hazard.max_waiters for hazard in tally.hazards.values()):
        return Verdict("hazard", "initialisation ran inside requests while others were in the process", bound=bound)
    return Verdict("clean", "no request differed from the control", bound=bound)


def undeclared(tally: Tally, expectation: Expectation | None) -> list[OutcomeName]:
    """Outcomes that were seen and that the expectation does not declare."""
    if expectation is None:
        return []
    return sorted(name for name, count in tally.outcomes.items() if count and name not in expectation.outcomes)


def forbidden(tally: Tally, expectation: Expectation | None) -> list[OutcomeName]:
    """Outcomes that were seen although the expectation forbids them."""
    if expectation is None:
        return []
    return sorted(
        name
        for name, count in tally.outcomes.items()
        if count and name in expectation.outcomes and expectation.outcomes[name].grade == "forbidden"
    )


def exceeded(tally: Tally, thresholds: Thresholds) -> list[str]:
    """What was counted and is more than the scenario allows, a sentence each."""
    counts = {
        "lazy_in_request": (tally.lazy_in_request, thresholds.lazy_in_request),
        "bad_trials": (tally.bad, thresholds.bad_trials),
    }
    return [
        f"{name} is {count}, and thresholds.{name} allows {limit}"
        for name, (count, limit) in counts.items()
        if limit is not None and count > limit
    ]


def is_met(
    verdict: Verdict,
    tally: Tally,
    expectation: Expectation | None,
    fail_on_hazard: bool = False,
    thresholds: Thresholds | None = None,
) -> bool:
    """Is the expectation met? Where nothing is declared: neither race nor broken (nor hazard, if asked)."""
    if thresholds is not None and exceeded(tally, thresholds):
        return False
    if expectation is None:
        return verdict.name == "clean" or (verdict.name == "hazard" and not fail_on_hazard)
    if verdict.name not in expectation.verdicts:
        return False
    if expectation.race_class and verdict.race_class and expectation.race_class != verdict.race_class:
        return False
    if expectation.broken_class and verdict.broken_class and expectation.broken_class != verdict.broken_class:
        return False
    return not forbidden(tally, expectation) and not undeclared(tally, expectation)
