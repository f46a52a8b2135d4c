"""Is the new worse than the old? Pure functions from what was observed to sentences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.cases.scenario import Thresholds
from harness.errors import BadInput
from harness.gate.records import Baseline, CaseCounts
from harness.gate.statistics import (
    FAMILY_ERROR,
    Shift,
    Significance,
    above,
    fisher,
    holm,
    larger,
    shift,
)

# A ratio of another run is not taken for larger before it is this many times the baseline's.
RATIO_FACTOR = 1.5
# Times of the same run: what is allowed before it is worse.
TOLERANCE = 0.10
WORDS = {
    "hang": "trials hang",
    "failed-request": "trials have failed or wrong answers",
    "wrong-state": "trials leave a changed process state",
    "duplicate-init": "trials initialise twice",
}


@dataclass(frozen=True)
class HypothesisTest:
    """One question to the data: what was compared, in words, and what came of it."""

    case: str
    what: str
    """A sentence without its case, for when it is an alarm."""
    since: str
    """What it was compared with."""
    significance: Significance
    certain: bool = False
    """No test of chance: a count over its limit, a case that cannot be run any more."""


@dataclass(frozen=True)
class AdjustedTest:
    """A test within its family."""

    comparison: HypothesisTest
    p: float
    """Adjusted for the whole family (Holm)."""
    family: int
    """How many comparisons that is."""
    error: float

    @property
    def alarm(self) -> bool:
        return self.comparison.certain or self.p <= self.error

    @property
    def sentence(self) -> str:
        chance = "" if self.comparison.certain else f" (p = {self.p:.2g}, adjusted for {self.family} comparisons)"
        return f"{self.comparison.case}: {self.comparison.what}, {self.comparison.since}{chance}"


def judge(tests: Sequence[HypothesisTest], error: float = FAMILY_ERROR) -> list[AdjustedTest]:
    """All tests as one family; `error` is the chance of any false alarm in it."""
    chances = [each for each in tests if not each.certain]
    adjusted = dict(zip(map(id, chances), holm([each.significance for each in chances], error), strict=True))
    return [AdjustedTest(each, adjusted.get(id(each), 0.0), len(chances), error) for each in tests]


def alarms(tests: Sequence[HypothesisTest], error: float = FAMILY_ERROR) -> list[AdjustedTest]:
    """The tests that say that the new is worse, most certain first."""
    return sorted((each for each in judge(tests, error) if each.alarm), key=lambda each: (each.p, each.comparison.what))


# -- counts ----------------------------------------------------------------------------------------------


def compare_counts(old: CaseCounts, new: CaseCounts, since: str) -> list[HypothesisTest]:
    """Bad trials of each class, and each piece of initialisation inside requests."""

    def comparison(what: str, old_count: int, old_of: int, new_count: int, new_of: int) -> HypothesisTest:
        numbers = f"{what} in {new_count} of {new_of} (before: {old_count} of {old_of})"
        return HypothesisTest(new.case, numbers, since, fisher(old_count, old_of, new_count, new_of))

    tests = []
    for name, words in WORDS.items():
        was, now = old.bad.get(name, 0), new.bad.get(name, 0)
        if was or now:
            tests.append(comparison(f"{words} ({name})", was, old.trials, now, new.trials))
    if old.dropped or new.dropped:
        tests.append(comparison("trials have dropped requests", old.dropped, old.made, new.dropped, new.made))
    for item in sorted(old.lazy.keys() | new.lazy.keys()):
        was, now = old.lazy.get(item, 0), new.lazy.get(item, 0)
        tests.append(comparison(f"'{item}' runs inside requests", was, old.cold, now, new.cold))
    return tests


def compare_observed(old: CaseCounts, new: CaseCounts, since: str) -> list[HypothesisTest]:
    """A case against its stored baseline: verdict, counts, ratio."""
    check_comparable(old, new, since)
    tests = compare_counts(old, new, since)
    if new.verdict == "broken" and old.verdict != "broken":
        what = f"is broken now, one request at a time too ({new.reason}); it was {old.verdict}"
        tests.append(HypothesisTest(new.case, what, since, Significance(0.0, 0.0), certain=True))
    if old.first_over_warm and new.first_over_warm:
        was, now = (statistics.median(each.first_over_warm) for each in (old, new))
        what = f"the first request to a cold process takes {now:.1f} times a warm one (before: {was:.1f} times)"
        tests.append(
            HypothesisTest(new.case, what, since, larger(old.first_over_warm, new.first_over_warm, RATIO_FACTOR))
        )
    return tests


def check_comparable(old: CaseCounts, new: CaseCounts, since: str) -> None:
    """Raises BadInput where the two were not made in the same way."""
    for name in ("schedule", "mode", "restart", "processes", "threads", "users", "runtime"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise BadInput(
                f"{new.case}: {name} is {now!r} and was {was!r} in the {since.removeprefix('since ')}: they cannot be "
                "compared; make the baseline anew"
            )


def compare_with(baseline: Baseline, observed: Sequence[CaseCounts]) -> tuple[list[HypothesisTest], list[str]]:
    """The tests of a run, and the cases of it that the baseline does not know.

    Raises:
        BadInput: it knows none of them, or they were made in another way.
    """
    known = baseline.by_case
    unknown = [each.case for each in observed if each.case not in known]
    if observed and len(unknown) == len(observed):
        have = ", ".join(sorted({each.partition("::")[0] for each in known})) or "nothing"
        raise BadInput(f"{baseline} is of another scenario: it has {have}, and not {unknown[0]}")
    tests = [
        test
        for each in observed
        if each.case in known
        for test in compare_observed(known[each.case], each, f"since {baseline}")
    ]
    return tests, unknown


# -- thresholds ------------------------------------------------------------------------------------------


def has_limits(thresholds: Thresholds) -> bool:
    return any(each is not None for each in (thresholds.lazy_in_request, thresholds.bad_trials, thresholds.ratio_limit))


def compare_thresholds(thresholds: Thresholds, new: CaseCounts) -> list[HypothesisTest]:
    """What the scenario allows at most. Counts are what they are; a ratio must be above its limit beyond chance."""
    tests = []
    counts = {
        "lazy_in_request": (new.lazy_in_request, "pieces of initialisation ran inside the requests of a trial"),
        "bad_trials": (new.bad_trials, f"of {new.trials} trials were bad"),
    }
    for name, (count, words) in counts.items():
        limit = getattr(thresholds, name)
        if limit is not None and count > limit:
            since = f"and the scenario's threshold {name} allows {limit}"
            tests.append(HypothesisTest(new.case, f"{count} {words}", since, Significance(0.0, 0.0), certain=True))
    limit = thresholds.ratio_limit
    if limit is not None and new.first_over_warm:
        now = statistics.median(new.first_over_warm)
        tests.append(
            HypothesisTest(
                new.case,
                f"the first request to a cold process takes {now:.1f} times a warm one",
                f"and the scenario's threshold first_request_over_warm allows {limit:g}",
                above(new.first_over_warm, limit),
            )
        )
    return tests


# -- times, of pairs in one run --------------------------------------------------------------------------


def compare_times(
    case: str, pairs: Mapping[str, Sequence[tuple[float, float]]], since: str, tolerance: float = TOLERANCE
) -> list[HypothesisTest]:
    """Pairs of (old, new) by what was timed: worse is longer by more than the tolerance."""
    tests = []
    for what, values in pairs.items():
        positive = [(old, new) for old, new in values if old > 0 and new > 0]
        if positive:
            found = shift(positive, tolerance)
            tests.append(HypothesisTest(case, _in_words(what, found, len(positive)), since, found.significance))
    return tests


def _in_words(what: str, found: Shift, pairs: int) -> str:
    bound = f", at least {100 * (found.at_least - 1):+.0f} % at 99 %" if found.at_least else ""
    return f"{what} is {100 * (found.ratio - 1):+.0f} % in {pairs} pairs{bound}"
