"""From graded trials to a verdict: counts, bounds, and why an expectation is not met."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from harness.cases.case import Case
from harness.cases.scenario import Expectation, Thresholds
from harness.checkers.findings import GRAVITY, RACES, Finding, LazyWork, TrialGrade
from harness.records import BrokenClass, Leftovers, OutcomeName, RaceClass, VerdictName

# The usual level: at 95 % the bound of 0 in n is about 3/n.
CONFIDENCE = 0.95
# With fewer than half of the trials effective, too little was tested of what was asked for.
MIN_EFFECTIVE_SHARE = 0.5
# An expected race is settled once it was seen, but its rate deserves a few trials.
SETTLED_AFTER = 10
# Findings kept of one key: a report shows the first, the others are for whoever compares them.
EXAMPLES = 3
# Names kept of one kind of lazy work, and keys of findings: several times what a report shows, so that the memory of a
# run does not grow with its trials.
_MOST_NAMES = 200
_MOST_KEYS = 100
# Commands of processes that a sentence names: a line of a terminal.
_NAMED_COMMANDS = 3


def upper_bound(trials: int, confidence: float = CONFIDENCE) -> float | None:
    """The largest rate of bad trials that 0 bad in `trials` leaves possible: 1 - (1-c)^(1/n), about 3/n.

    The exact (Clopper-Pearson) one-sided bound for zero events; the "rule of three" approximates it.
    """
    return None if trials < 1 else float(1 - (1 - confidence) ** (1 / trials))


@dataclass
class HazardTally:
    """One kind of lazy work over all trials."""

    count: int = 0
    max_ms: float = 0.0
    max_waiters: int = 0
    names: Counter[str] = field(default_factory=Counter)

    def add(self, lazy: LazyWork) -> None:
        self.count += 1
        self.max_ms = max(self.max_ms, lazy.milliseconds)
        self.max_waiters = max(self.max_waiters, lazy.waiters)
        if lazy.name in self.names or len(self.names) < _MOST_NAMES:
            self.names[lazy.name] += 1


@dataclass
class Tally:
    """The counts of a case so far. Its size does not grow with the number of trials."""

    reload: bool = False
    begin: float = 0.0
    """When the first control began."""
    trials: int = 0
    cold: int = 0
    reloaded: int = 0
    effective: int = 0
    exposed: int = 0
    bad: int = 0
    requests: int = 0
    first_bad: int | None = None
    """The trial that was bad first."""
    first_bad_end: float = 0.0
    """When that trial was over."""
    lazy_in_request: int = 0
    outcomes: Counter[OutcomeName] = field(default_factory=Counter)
    races: Counter[RaceClass] = field(default_factory=Counter)
    strays: Counter[OutcomeName] = field(default_factory=Counter)
    """Race outcomes of trials that were not effective: they prove nothing, but are not hidden."""
    stories: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[Finding]] = field(default_factory=dict)
    hazards: dict[str, HazardTally] = field(default_factory=dict)
    failed_checkers: Counter[str] = field(default_factory=Counter)
    void: Counter[str] = field(default_factory=Counter)
    """Why trials prove nothing."""
    failed: str = ""
    """Why the case was not run to its end, where the harness, the server or the machine failed."""
    broken: Finding | None = None
    inconclusive: str = ""
    leftovers: Leftovers | None = None
    """What the site's processes left running."""

    def begin_part(self, broken: Finding | None, inconclusive: str) -> None:
        """What the controls say, of a run or of a further part of one that was resumed. Controls that contradict those
        of the trials before them prove nothing but that something outside has changed."""
        if not self.trials:
            self.broken, self.inconclusive = broken, inconclusive
        elif broken is not None or inconclusive:
            why = broken.summary if broken is not None else inconclusive
            self.inconclusive = f"the controls failed when the run was resumed, and had not failed before: {why}"

    def add(self, grade: TrialGrade) -> None:
        self.trials += 1
        self.cold += grade.cold
        self.reloaded += grade.reloaded
        self.effective += grade.effective
        self.exposed += grade.exposed
        self.requests += grade.requests
        self.outcomes.update(grade.outcomes)
        if grade.counts(self.reload):
            self.bad += bool(grade.races)
            if grade.races and (self.first_bad is None or grade.end < self.first_bad_end):
                self.first_bad, self.first_bad_end = grade.number, grade.end
            self.races.update(grade.races)
        else:
            self.strays.update({name: count for name, count in grade.outcomes.items() if name in RACES})
        for finding in grade.findings:
            self._remember(finding)
        if grade.cold or grade.reloaded:
            self.lazy_in_request = max(self.lazy_in_request, len(grade.lazy))
            for lazy in grade.lazy:
                self.hazards.setdefault(lazy.kind, HazardTally()).add(lazy)
        self.failed_checkers.update(grade.failed_checkers)
        if grade.void:
            self.void[grade.void] += 1

    def _remember(self, finding: Finding) -> None:
        key = finding.key if finding.key in self.stories or len(self.stories) < _MOST_KEYS else "(others)"
        self.stories[key] += 1
        examples = self.examples.setdefault(key, [])
        examples.append(finding)
        # By trial, not by which one ended first: a stored history must lead to the same result.
        examples.sort(key=lambda example: (example.trial or 0, example.summary))
        del examples[EXAMPLES:]

    @property
    def judged(self) -> int:
        """The trials that the verdict rests on."""
        return self.reloaded if self.reload else self.effective

    @property
    def race_class(self) -> RaceClass | None:
        """The gravest class seen."""
        return next((race_class for race_class in GRAVITY if self.races[race_class]), None)

    def settled(self, expectation: Expectation | None) -> bool:
        """May the case stop, because the race that it expects was seen?"""
        if expectation is None or expectation.verdicts != ("race",) or self.judged < SETTLED_AFTER:
            return False
        return bool(self.races[expectation.race_class] if expectation.race_class else self.races)

    def ended(self, case: Case) -> bool:
        """Does the case need no more trials: all were made, its controls refuse them, or its race was seen?"""
        # What ran out once is still short, and more trials would prove no more.
        refused = self.broken is not None or bool(self.inconclusive or self.void)
        return refused or self.trials >= case.trials or (self.settled(case.expectation) and not case.full)


@dataclass(frozen=True)
class Verdict:
    """The verdict of a case and why."""

    name: VerdictName
    reason: str
    race_class: RaceClass | None = None
    broken_class: BrokenClass | None = None
    bound: float | None = None


def conclude(tally: Tally, stopped: bool = False, expectation: Expectation | None = None) -> Verdict:  # noqa: PLR0911
    """The verdict that a tally supports. `stopped`: the run was ended early."""
    if tally.failed:
        return Verdict("inconclusive", f"the run failed: {tally.failed}")
    if tally.broken is not None:
        return Verdict("broken", tally.broken.summary, broken_class=tally.broken.broken_class)
    if tally.races:
        return Verdict("race", f"{tally.bad} of {tally.judged} trials were bad", race_class=tally.race_class)
    if tally.inconclusive:
        return Verdict("inconclusive", tally.inconclusive)
    if tally.void:
        why, _ = tally.void.most_common(1)[0]
        return Verdict("inconclusive", f"{tally.void.total()} of {tally.trials} trials prove nothing: {why}")
    if tally.failed_checkers:
        return Verdict("inconclusive", min(tally.failed_checkers))
    if tally.strays:
        strays = ", ".join(f"{count} {name}" for name, count in sorted(tally.strays.items()))
        return Verdict("inconclusive", f"{strays} in trials that were not effective")
    if tally.outcomes["dropped"] and (expectation is None or "dropped" not in expectation.outcomes):
        return Verdict("inconclusive", f"{tally.outcomes['dropped']} requests were dropped, and no outcome declares it")
    if stopped and tally.judged < SETTLED_AFTER:
        return Verdict("inconclusive", f"too few effective trials ({tally.judged}) to judge by")
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
    left = f", but {left_behind(tally.leftovers)}" if tally.leftovers else ""
    return Verdict("clean", f"no request differed from the control{left}", bound=bound)


def left_behind(leftovers: Leftovers) -> str:
    """What a site's processes left running, as the end of a sentence."""
    count, cold = len(leftovers.processes), max(1, leftovers.cold)
    commands = [command for command, _ in Counter(process.command for process in leftovers.processes).most_common()]
    named = ", ".join(commands[:_NAMED_COMMANDS]) + (", …" if len(commands) > _NAMED_COMMANDS else "")
    if count % cold:
        return f"{cold} cold processes of the site left {count} processes behind: {named}"
    each_one = count // cold
    return f"each cold process of the site leaves {each_one} process{'es' * (each_one != 1)} behind: {named}"


def undeclared(tally: Tally, expectation: Expectation | None) -> list[OutcomeName]:
    """Outcomes that were seen but are not declared by the expectation."""
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
    """Each count that is higher than the scenario allows, as a sentence."""
    counts = {
        "lazy_in_request": (tally.lazy_in_request, thresholds.lazy_in_request),
        "bad_trials": (tally.bad, thresholds.bad_trials),
    }
    return [
        f"{name} is {count}, but thresholds.{name} allows {limit}"
        for name, (count, limit) in counts.items()
        if limit is not None and count > limit
    ]


def unmet(
    verdict: Verdict,
    tally: Tally,
    expectation: Expectation | None,
    thresholds: Thresholds | None = None,
    fail_on_hazard: bool = False,
) -> list[str]:
    """Why the expectation is not met, one sentence for each reason; [] where it is met. Without an expectation the
    verdict must be clean, or hazard unless `fail_on_hazard`."""
    over = exceeded(tally, thresholds) if thresholds is not None else []
    if expectation is None:
        sound = verdict.name == "clean" or (verdict.name == "hazard" and not fail_on_hazard)
        return over if sound else [f"the verdict is {verdict.name}: {verdict.reason}", *over]
    reasons = []
    if verdict.name not in expectation.verdicts:
        reasons.append(f"expected {' or '.join(expectation.verdicts)}, got {verdict.name}: {verdict.reason}")
    for wanted, got in ((expectation.race_class, verdict.race_class), (expectation.broken_class, verdict.broken_class)):
        if wanted and got and wanted != got:
            reasons.append(f"expected class {wanted}, got {got}")
    for name in forbidden(tally, expectation):
        reasons.append(f"outcome {name} ({tally.outcomes[name]}) is forbidden: {expectation.outcomes[name].why}")
    for name in undeclared(tally, expectation):
        reasons.append(f"outcome {name} ({tally.outcomes[name]}) is not declared")
    return reasons + over
