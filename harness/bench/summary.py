"""From the samples of a cell to its numbers. Pure functions."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from harness.bench.records import PHASES, Cycle, Latency, Phase, PhaseName, SampleOutcome, Summary

# Recovery: p95 over a sliding window is back within this factor of its level before, the same tolerance as the gate's.
# At the default rate a window has 25 requests, a few more than a p95 needs; it moves by a tenth of its length.
WINDOW_S = 0.5
STEP_S = 0.05
RECOVERED = 1.10
# A request without a complete answer counts as under way for so long, in which a refused or reset one has ended.
UNANSWERED_S = 1.0
# With fewer answers the p95 of a window is only its largest.
FEWEST_IN_WINDOW = 20
# HdrHistogram counts microseconds up to an hour, longer than any timeout, with 3 significant digits: 0.1 %.
_HIGHEST_US = 3_600_000_000
_DIGITS = 3


@dataclass(frozen=True)
class Sample:
    """One request of a cycle: a row of its columns."""

    intended: float
    since: float | None
    """Seconds from the restart that it belongs to. None: before any; 0: it was under way when the restart came."""
    latency_ms: float | None
    outcome: SampleOutcome
    process: int | None

    @property
    def arrived(self) -> float | None:
        return None if self.latency_ms is None else self.intended + self.latency_ms / 1000


def rows(cycle: Cycle) -> list[Sample]:
    """The samples of a cycle, each with the last restart before it."""
    samples = cycle.samples
    columns = zip(samples.intended_s, samples.latency_ms, samples.outcome, samples.process, strict=True)
    return [
        Sample(intended, _since(intended, latency, cycle.restarts_s), latency, outcome, process)
        for intended, latency, outcome, process in columns
    ]


def _since(intended: float, latency_ms: float | None, restarts: Sequence[float]) -> float | None:
    end = intended + (UNANSWERED_S if latency_ms is None else latency_ms / 1000)
    if any(intended < restart < end for restart in restarts):
        return 0.0
    return next((intended - restart for restart in reversed(restarts) if restart <= intended), None)


def summarise(cycles: Sequence[Cycle], during_s: float) -> Summary | None:
    """The numbers of a cell; None where it has no cycle."""
    if not cycles:
        return None
    samples = [sample for cycle in cycles for sample in rows(cycle)]
    restarts = restart_costs(cycles)
    gaps = [restart.without_good for restart in restarts]
    goods = [restart.first_good for restart in restarts]
    before = [sample.latency_ms for sample in samples if sample.since is None and sample.latency_ms is not None]
    p95_before = percentile(before, 95)
    colds = [cycle.cold for cycle in cycles if cycle.cold is not None]
    return Summary(
        restarts=len(restarts),
        requests=len(samples),
        outcomes=_outcomes(samples),
        without_good_ms=_milliseconds(gaps),
        without_good_worst_ms=_milliseconds(gaps, max),
        first_good_ms=_milliseconds(goods),
        first_good_worst_ms=_milliseconds(goods, max),
        first_new_ms=_milliseconds([restart.first_new for restart in restarts]),
        start_ms=_milliseconds([restart.start for restart in restarts]),
        recovered_ms=recovered_ms(samples, p95_before),
        p95_before_ms=p95_before,
        phases=tuple(_phase(name, samples, during_s) for name in PHASES),
        first_ms=_median(cold.first_ms for cold in colds),
        warm_ms=_median(cold.warm_ms for cold in colds),
        first_over_warm=_median(cold.first_ms / cold.warm_ms for cold in colds),
        cpu_s=_median(cold.cpu_s for cold in colds if cold.cpu_s is not None),
        resident_mib=_median(cold.resident_mib for cold in colds if cold.resident_mib is not None),
    )


@dataclass(frozen=True)
class RestartCost:
    """What one restart cost, in seconds; None: it did not happen within the cycle."""

    without_good: float | None
    first_good: float | None
    first_new: float | None
    start: float | None


def restart_costs(cycles: Sequence[Cycle]) -> list[RestartCost]:
    """What each restart of the cycles cost, in their order."""
    return [_restart_cost(rows(cycle), number, cycle) for cycle in cycles for number in range(len(cycle.restarts_s))]


def _restart_cost(samples: Sequence[Sample], number: int, cycle: Cycle) -> RestartCost:
    """The cost of restart `number` of a cycle, counted from 0."""
    begin = cycle.restarts_s[number]
    end = cycle.restarts_s[number + 1] if number + 1 < len(cycle.restarts_s) else math.inf
    good = [(sample, sample.arrived) for sample in samples if sample.outcome == "ok" and sample.arrived is not None]
    arrivals = sorted(arrived for _, arrived in good)
    to_new = [arrived for sample, arrived in good if sample.intended >= begin]
    of_new = [arrived for sample, arrived in good if sample.process is not None and sample.process > number]
    new = min(of_new, default=None)
    born = cycle.born_s[number]
    return RestartCost(
        without_good=longest_gap(arrivals, begin, end),
        first_good=min(to_new, default=begin) - begin if to_new else None,
        first_new=None if new is None else new - begin,
        # A start time is rounded to a tick, and may seem to be later than the answer.
        start=None if new is None or born is None else max(0.0, new - born),
    )


def longest_gap(moments: Sequence[float], begin: float, end: float) -> float | None:
    """The longest time between `begin` and `end` (which may be infinite) without any of the sorted moments.

    None: there is no moment between them. After the last one the time counts up to a finite `end`.
    """
    within = [moment for moment in moments if begin < moment <= end]
    if not within:
        return None
    stops = [begin, *within, *([] if math.isinf(end) else [end])]
    return max(later - earlier for earlier, later in itertools.pairwise(stops))


def recovered_ms(samples: Iterable[Sample], p95_before: float | None) -> float | None:
    """Milliseconds from the restart to the first window in which p95 is within RECOVERED of its level before and every
    request got a complete answer; None: there is no such window in the cycles."""
    if p95_before is None:
        return None
    after = [(sample.since, sample.latency_ms) for sample in samples if sample.since is not None]
    last = max((since for since, _ in after), default=-math.inf)
    at = 0.0
    while at + WINDOW_S <= last + STEP_S:
        window = [latency for since, latency in after if at <= since < at + WINDOW_S]
        latencies = [latency for latency in window if latency is not None]
        complete = len(latencies) == len(window) and len(window) >= FEWEST_IN_WINDOW
        p95 = percentile(latencies, 95)
        if complete and p95 is not None and p95 <= RECOVERED * p95_before:
            return round(1000 * at, 1)
        at += STEP_S
    return None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """A percentile by HdrHistogram, as all others of a bench run."""
    return percentiles(values, percent)[0]


def percentiles(latencies_ms: Sequence[float], *percents: float) -> list[float | None]:
    """Percentiles of latencies in milliseconds."""
    counts = HdrHistogram(1, _HIGHEST_US, _DIGITS)
    for latency in latencies_ms:
        counts.record_value(max(1, min(_HIGHEST_US, round(1000 * latency))))
    return [counts.get_value_at_percentile(percent) / 1000 if latencies_ms else None for percent in percents]


def latency_of(latencies_ms: Sequence[float]) -> Latency:
    p50, p90, p99, p999 = percentiles(latencies_ms, 50, 90, 99, 99.9)
    longest = max(latencies_ms, default=None)
    return Latency(answered=len(latencies_ms), p50=p50, p90=p90, p99=p99, p999=p999, max=longest)


def phase_of(sample: Sample, during_s: float) -> PhaseName:
    if sample.since is None:
        return "before"
    return "during" if sample.since < during_s else "after"


def _phase(name: PhaseName, samples: Iterable[Sample], during_s: float) -> Phase:
    here = [sample for sample in samples if phase_of(sample, during_s) == name]
    outcomes = _outcomes(here)
    return Phase(
        name=name,
        requests=len(here),
        outcomes=outcomes,
        errors_5xx=outcomes.get("error", 0),
        latency=latency_of([sample.latency_ms for sample in here if sample.latency_ms is not None]),
    )


def _outcomes(samples: Iterable[Sample]) -> dict[SampleOutcome, int]:
    return dict(sorted(Counter(sample.outcome for sample in samples).items()))


def _median(values: Iterable[float]) -> float | None:
    numbers = list(values)
    return round(statistics.median(numbers), 3) if numbers else None


def _milliseconds(
    values: Sequence[float | None], choose: Callable[[list[float]], float] = statistics.median
) -> float | None:
    """None too where one of the values is: it never ended within the cycle, so the worst is not known."""
    seconds = [value for value in values if value is not None]
    return round(1000 * choose(seconds), 1) if seconds and len(seconds) == len(values) else None
