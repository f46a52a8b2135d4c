"""The gate's statistics against independent references, and what must and must not be an alarm."""

import itertools
import math
import random

import pytest
from scipy import stats

from harness.gate.statistics import Significance, above, fisher, fisher_two_sided, holm, larger, shift


def pairs_of(ratio, count=16, spread=0.05, seed=7):
    """Pairs whose new is `ratio` times the old, give or take."""
    draw = random.Random(seed)
    return [(1.0, ratio * math.exp(draw.gauss(0, spread))) for _ in range(count)]


@pytest.mark.parametrize("count", [5, 12, 20])
def test_the_signed_rank_test_is_exact(count):
    """Its p is scipy's exact one-sided p, tolerance and all."""
    pairs = pairs_of(1.15, count, 0.2)
    logs = [math.log(new / old) - math.log1p(0.1) for old, new in pairs]
    expected = stats.wilcoxon(logs, alternative="greater", method="exact").pvalue
    assert expected == pytest.approx(shift(pairs, 0.1).significance.p)


def test_estimate_is_hodges_lehmann():
    """The estimate is the median of the Walsh averages, which is Hodges-Lehmann by its definition."""
    pairs = pairs_of(1.3, 9)
    logs = [math.log(new / old) for old, new in pairs]
    walsh = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(logs, 2))
    assert math.exp(walsh[len(walsh) // 2]) == pytest.approx(shift(pairs, 0.0).ratio)


def test_the_bound_and_the_test_agree():
    """The lower bound at 99 % is just where the test at 1 % stops to reject."""
    pairs = pairs_of(1.3, 14, 0.2)
    bound = shift(pairs, 0.0, 0.99).at_least
    assert shift(pairs, bound - 1 - 1e-6).significance.p <= 0.01
    assert shift(pairs, bound - 1 + 1e-6).significance.p > 0.01


def test_too_few_pairs_bound_nothing():
    """Six pairs cannot reach 1 %: there is no bound, and p says so."""
    few = shift(pairs_of(5.0, 6), 0.0, 0.99)
    assert (0.0, 2**-6) == (few.at_least, few.significance.p)


def test_tolerance_of_slower_starts():
    """With a tolerance of 10 %, a start 30 % slower is significant, and its near-twin with 5 % is tolerated."""
    assert shift(pairs_of(1.3), 0.1).significance.p < 1e-4
    assert shift(pairs_of(1.05), 0.1).significance.p > 0.9


def test_fisher_is_one_sided():
    """More bad ones are worse; fewer are not."""
    assert fisher(0, 20, 8, 20).p < 0.01
    assert 1.0 == fisher(8, 20, 0, 20).p


def test_fishers_tea():
    """His own example, two-sided: 3 of 4 against 1 of 4 cups is p = 0.486; no trials at all show nothing."""
    assert 0.4857 == pytest.approx(fisher_two_sided(3, 4, 1, 4), abs=1e-4)
    assert 1.0 == fisher_two_sided(0, 0, 5, 5)


def test_constant_item_is_no_alarm():
    """What is in every trial of both can be no alarm: its margins allow no other table, the least p is 1."""
    assert Significance(1.0, 1.0) == fisher(20, 20, 16, 16)
    assert Significance(1.0, 1.0) == fisher(0, 0, 3, 3)


def test_ten_of_ten_is_no_chance():
    """A ratio over its limit in ten of ten is no chance; seven of ten may be."""
    assert above([4.0] * 10, 3.0).p < 0.001
    assert above([4.0] * 7 + [2.0] * 3, 3.0).p > 0.1


def test_larger_means_beyond_the_factor():
    """Ratios twice as large are larger; a third more, within a factor of one and a half, is not."""
    old = [10.0 + number / 10 for number in range(12)]
    assert larger(old, [2.2 * ratio for ratio in old], 1.5).p < 1e-4
    assert larger(old, [1.3 * ratio for ratio in old], 1.5).p > 0.9


def test_holm_skips_impossible_tests():
    """Holm adjusts for the tests that could reject only: two of four cannot, the other two are a family of two."""
    impossible = Significance(1.0, 1.0)
    family = [Significance(0.004, 1e-6), impossible, Significance(0.02, 1e-6), impossible]
    assert [0.008, 1.0, 0.02, 1.0] == holm(family)


def test_holm_is_monotonic():
    """Adjusted values do not fall below those of smaller p."""
    assert [0.009, 0.009, 0.009] == pytest.approx(holm([Significance(p, 1e-9) for p in (0.003, 0.004, 0.0045)]))


def test_the_family_wise_error_holds():
    """A family of twelve true nulls, among them discrete ones: alarms in at most about 1 % of 2000."""
    draw = random.Random(20100321)
    alarms = 0
    for _ in range(2000):
        family = []
        for rate in (0.05, 0.3, 0.5, 0.9):
            counts = [sum(draw.random() < rate for _ in range(16)) for _ in range(2)]
            family.append(_fisher_fast(counts[0], counts[1]))
        family += [shift([(1.0, math.exp(draw.gauss(0, 0.1))) for _ in range(12)], 0.0).significance for _ in range(3)]
        alarms += any(p <= 0.01 for p in holm(family))
    # Binomial(2000, 0.01) is above 34 with probability 0.001.
    assert alarms <= 34


def _fisher_fast(old, new, of=16):
    """Fisher's p by the hypergeometric distribution, for the thousands that this file needs."""
    bad = old + new
    ways = [math.comb(of, k) * math.comb(of, bad - k) for k in range(max(0, bad - of), min(of, bad) + 1)]
    first, total = max(0, bad - of), sum(ways)
    return Significance(sum(ways[new - first :]) / total, ways[-1] / total)
