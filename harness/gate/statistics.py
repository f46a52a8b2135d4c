"""The gate's statistics. Pure functions; the tests of a gate are one-sided: is the new worse?

Rates: Fisher's exact test (two-sided between two stored runs: either may be the worse). Times and ratios: pairs of
neighbours in time, log(new/old), the Wilcoxon signed-rank test with the Hodges-Lehmann estimate and its exact
confidence bound (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 3rd edition, 2014, sections 3.1 to
3.3). Ratios of pairs, and an interval rather than two means: after Kalibera and Jones, Rigorous Benchmarking in
Reasonable Time, ISMM 2013.

All tests of a gate are one family: Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal
of Statistics 6, 1979. A test that could not have become significant, whatever was measured (an item that is in every
trial of both), is left out beforehand, which its margins alone decide: Tarone, A Modified Bonferroni Method for
Discrete Data, Biometrics 46, 1990.
"""

from __future__ import annotations

import functools
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

# The chance of any false alarm in a whole comparison: a gate that runs every night then cries wolf every third month.
FAMILY_ERROR = 0.01


@dataclass(frozen=True)
class Significance:
    """`p`: how likely data as bad as these are if the new is no worse. `least`: the smallest p that was possible."""

    p: float
    least: float


def fisher(bad_old: int, of_old: int, bad_new: int, of_new: int) -> Significance:
    """Is the rate of bad ones higher in the new? Exact."""
    from scipy.stats import fisher_exact  # noqa: PLC0415 - takes a second to import, and only the gate needs it

    def p(bad: int) -> float:
        table = [[bad, of_new - bad], [bad_old + bad_new - bad, of_old - bad_old - bad_new + bad]]
        return float(fisher_exact(table, alternative="greater").pvalue)

    if not of_old or not of_new:
        return Significance(1.0, 1.0)
    return Significance(p(bad_new), p(min(of_new, bad_old + bad_new)))


def fisher_two_sided(bad_old: int, of_old: int, bad_new: int, of_new: int) -> float:
    """How probable rates as different as these are if nothing has changed. Exact."""
    from scipy.stats import fisher_exact  # noqa: PLC0415

    if not of_old or not of_new:
        return 1.0
    return float(fisher_exact([[bad_old, of_old - bad_old], [bad_new, of_new - bad_new]]).pvalue)


def above(values: Sequence[float], limit: float) -> Significance:
    """Is the median of the values above a limit? Exact sign test."""
    from scipy.stats import binomtest  # noqa: PLC0415

    if not values:
        return Significance(1.0, 1.0)
    over = sum(value > limit for value in values)
    p = float(binomtest(over, len(values), 0.5, alternative="greater").pvalue)
    return Significance(p, math.pow(0.5, len(values)))


def larger(old: Sequence[float], new: Sequence[float], factor: float) -> Significance:
    """Are the new values larger than `factor` times the old ones? Exact Mann-Whitney test, of positive values."""
    from scipy.stats import mannwhitneyu  # noqa: PLC0415

    if not old or not new:
        return Significance(1.0, 1.0)
    scaled = [factor * value for value in old]
    least = 1 / math.comb(len(old) + len(new), len(old))
    p = float(mannwhitneyu(new, scaled, alternative="greater", method="exact").pvalue)
    return Significance(p, least)


@dataclass(frozen=True)
class Shift:
    """By which factor the new is larger than the old, in pairs."""

    ratio: float
    """Hodges-Lehmann estimate."""
    at_least: float
    """Lower bound at the given confidence; 0 where there are too few pairs for one."""
    significance: Significance
    """Is the ratio above 1 + tolerance?"""


def shift(pairs: Sequence[tuple[float, float]], tolerance: float, confidence: float = 1 - FAMILY_ERROR) -> Shift:
    """The factor between the (old, new) of pairs of positive numbers. Raises ValueError without pairs."""
    logs = [math.log(new / old) for old, new in pairs]
    count = len(logs)
    walsh = sorted((logs[i] + logs[j]) / 2 for i in range(count) for j in range(i, count))
    margin = math.log1p(tolerance)
    # The signed-rank statistic is the number of Walsh averages above what is tested; one on it counts half.
    statistic = sum(1.0 if average > margin else 0.5 if average == margin else 0.0 for average in walsh)
    cut = next((k for k in range(len(walsh)) if _at_least(count, len(walsh) - k) > 1 - confidence), len(walsh))
    return Shift(
        ratio=math.exp(statistics.median(walsh)),
        at_least=math.exp(walsh[cut - 1]) if cut else 0.0,
        significance=Significance(_at_least(count, math.floor(statistic)), 0.5**count),
    )


@functools.cache
def _at_least(count: int, statistic: int) -> float:
    """P(T+ >= statistic) of the signed-rank statistic of `count` differences, if none is real."""
    return math.ldexp(sum(_distribution(count)[max(0, statistic) :]), -count)


@functools.cache
def _distribution(count: int) -> tuple[int, ...]:
    """How many of the 2^count assignments of signs give each sum of positive ranks."""
    ways = [1]
    for rank in range(1, count + 1):
        with_rank = [0] * rank + ways
        ways = [without + other for without, other in zip(ways + [0] * rank, with_rank, strict=True)]
    return tuple(ways)


def holm(family: Sequence[Significance], error: float = FAMILY_ERROR) -> list[float]:
    """The adjusted p of each test; an alarm where it is at most `error`."""
    adjusted = [1.0] * len(family)
    testable = _testable(family, error)
    worst = 0.0
    for place, index in enumerate(sorted(testable, key=lambda index: family[index].p)):
        worst = max(worst, min(1.0, (len(testable) - place) * family[index].p))
        adjusted[index] = worst
    return adjusted


def _testable(family: Sequence[Significance], error: float) -> list[int]:
    """The tests that could have been significant in a family of their own size (Tarone)."""
    for size in range(1, len(family) + 1):
        able = [index for index, test in enumerate(family) if test.least <= error / size]
        if len(able) <= size:
            return able
    return []
