"""Is the new worse than the old? Pure functions from counts, ratios and times to sentences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.cases.scenario import Thresholds
from harness.errors import BadInput
from harness.gate.records import Baseline, CaseCounts
from harness.gate.statistics import FAMILY_ERROR, Significance, above, fisher, holm, larger, shift

# A ratio is worse when it is beyond chance more than this many times the baseline's, and a time of the same run when it
# is this share longer. With both, a script compared with itself 200 times raised no alarm (results/README.md).
RATIO_FACTOR = 1.5
TOLERANCE = 0.10
WORDS = {
    "hang": "trials hang",
    "failed-request": "trials have failed or wrong answers",
    "wrong-state": "trials leave a changed process state",
    "duplicate-init": "trials initialise twice",
}


@dataclass(frozen=True)
class HypothesisTest:
    """One question to the data: what was compared, in words, and how significant the difference is."""

    case: str
    what: str
    """The sentence of its alarm, without the case."""
    since: str
    """What it was compared with."""
    significance: Significance
    certain: bool = False
    """Not a matter of chance: a count over its limit, a case that is broken now."""


@dataclass(frozen=True)
class AdjustedTest:
    """A test within its family."""

    test: HypothesisTest
    p: float
    """Adjusted for the whole family (Holm)."""
    family: int
    """The number of tests in the family."""
    error: float
    """The chance of any false alarm in the family."""

    @property
    def alarm(self) -> bool:
        return self.test.certain or self.p <= self.error

    @property
    def sentence(self) -> str:
        chance = "" if self.test.certain else f" (p = {self.p:.2g}, adjusted for {self.family} comparisons)"
        return f"{self.test.case}: {self.test.what}, {self.test.since}{chance}"


def judge(tests: Sequence[HypothesisTest], error: float = FAMILY_ERROR) -> list[AdjustedTest]:
    """All tests as one family; `error` is the chance of any false alarm in it."""
    family = [test for test in tests if not test.certain]
    adjusted = dict(zip(map(id, family), holm([test.significance for test in family], error), strict=True))
    return [AdjustedTest(test, adjusted.get(id(test), 0.0), len(family), error) for test in tests]


def alarms(tests: Sequence[HypothesisTest], error: float = FAMILY_ERROR) -> list[AdjustedTest]:
    """The tests that show the new to be worse, most certain first."""
    return sorted((test for test in judge(tests, error) if test.alarm), key=lambda alarm: (alarm.p, alarm.test.what))


# -- counts ----------------------------------------------------------------------------------------------


def compare_counts(old: CaseCounts, new: CaseCounts, since: str) -> list[HypothesisTest]:
    """Bad trials of each class, dropped requests, and each piece of initialisation inside requests."""

    def test(what: str, old_count: int, old_of: int, new_count: int, new_of: int) -> HypothesisTest:
        numbers = f"{what} in {new_count} of {new_of} (before: {old_count} of {old_of})"
        return HypothesisTest(new.case, numbers, since, fisher(old_count, old_of, new_count, new_of))

    tests = []
    for name, words in WORDS.items():
        was, now = old.bad.get(name, 0), new.bad.get(name, 0)
        if was or now:
            tests.append(test(f"{words} ({name})", was, old.trials, now, new.trials))
    if old.dropped or new.dropped:
        tests.append(test("trials have dropped requests", old.dropped, old.made, new.dropped, new.made))
    for item in sorted(old.lazy.keys() | new.lazy.keys()):
        was, now = old.lazy.get(item, 0), new.lazy.get(item, 0)
        tests.append(test(f"'{item}' runs inside requests", was, old.cold, now, new.cold))
    return tests


def compare_observed(old: CaseCounts, new: CaseCounts, since: str) -> list[HypothesisTest]:
    """A case against its stored baseline: verdict, counts, ratio. Raises BadInput: they cannot be compared."""
    check_comparable(old, new, since)
    tests = compare_counts(old, new, since)
    if new.verdict == "broken" and old.verdict != "broken":
        what = f"is broken now, one request at a time too ({new.reason}); it was {old.verdict}"
        tests.append(HypothesisTest(new.case, what, since, Significance(0.0, 0.0), certain=True))
    if old.first_over_warm and new.first_over_warm:
        was, now = (statistics.median(counts.first_over_warm) for counts in (old, new))
        what = f"the first request to a cold process takes {now:.1f} times a warm one (before: {was:.1f} times)"
        tests.append(
            HypothesisTest(new.case, what, since, larger(old.first_over_warm, new.first_over_warm, RATIO_FACTOR))
        )
    return tests


def check_comparable(old: CaseCounts, new: CaseCounts, since: str) -> None:
    """Raises BadInput: the two were not run in the same way."""
    for name in ("schedule", "mode", "restart", "processes", "threads", "users", "runtime"):
        was, now = getattr(old, name), getattr(new, name)
        if was != now:
            raise BadInput(
                f"{new.case}: {name} is {now!r} and was {was!r} in the {since.removeprefix('since ')}: they cannot be "
                "compared; make a new baseline"
            )


def compare_with(baseline: Baseline, observed: Sequence[CaseCounts]) -> tuple[list[HypothesisTest], list[str]]:
    """The tests of a run, and those of its cases that the baseline does not have. Raises BadInput: it has none of them,
    or they were run in another way."""
    known = baseline.by_case
    unknown = [counts.case for counts in observed if counts.case not in known]
    if observed and len(unknown) == len(observed):
        scenarios = ", ".join(sorted({case.partition("::")[0] for case in known})) or "nothing"
        raise BadInput(f"{baseline} is of another scenario: it has {scenarios}, and not {unknown[0]}")
    tests = [
        test
        for counts in observed
        if counts.case in known
        for test in compare_observed(known[counts.case], counts, f"since {baseline}")
    ]
    return tests, unknown


# -- thresholds ------------------------------------------------------------------------------------------


def has_limits(thresholds: Thresholds) -> bool:
    limits = (thresholds.lazy_in_request, thresholds.bad_trials, thresholds.ratio_limit)
    return any(limit is not None for limit in limits)


def compare_thresholds(thresholds: Thresholds, new: CaseCounts) -> list[HypothesisTest]:
    """The limits of the scenario. A count over its limit is an alarm; a ratio must be above its limit beyond chance."""
    tests = []
    counts = {
        "lazy_in_request": (new.lazy_in_request, "pieces of initialisation ran inside the requests of one trial"),
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
    """Pairs of (old, new) times by what was timed: worse is longer by more than the tolerance."""
    tests = []
    for what, values in pairs.items():
        positive = [(old, new) for old, new in values if old > 0 and new > 0]
        if positive:
            difference = shift(positive, tolerance)
            bound = f", at least {100 * (difference.at_least - 1):+.0f} % at 99 %" if difference.at_least else ""
            sentence = f"{what} is {100 * (difference.ratio - 1):+.0f} % in {len(positive)} pairs{bound}"
            tests.append(HypothesisTest(case, sentence, since, difference.significance))
    return tests
