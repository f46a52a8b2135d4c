"""From the samples of a cell to its numbers. Pure functions."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from hdrh.histogram import HdrHistogram

from harness.bench.records import (
    PHASES,
    Cycle,
    Latency,
    Phase,
    PhaseName,
    SampleOutcome,
    Summary,
)

# Recovery: p95 over a window that slides along, back within this factor of its level before.
WINDOW_S = 0.5
STEP_S = 0.05
RECOVERED = 1.10
UNANSWERED_S = 1.0
# With fewer answers in a window its p95 is but its largest.
FEWEST_IN_WINDOW = 20
# HdrHistogram: microseconds from 1 us to an hour, 3 significant digits.
_HIGHEST_US = 3_600_000_000
_DIGITS = 3


@dataclass(frozen=True)
class Sample:
    """A row of the columns."""

    intended: float
    since: float | None
    """Seconds from the restart that it belongs to. None: before any; 0: it was on its way when the restart came."""
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
    # What has no complete answer ended some time; it was on its way for UNANSWERED_S at most, or it was before.
    end = intended + (UNANSWERED_S if latency_ms is None else latency_ms / 1000)
    if any(intended < each < end for each in restarts):
        return 0.0
    return next((intended - each for each in reversed(restarts) if each <= intended), None)


def summarise(cycles: Sequence[Cycle], during_s: float) -> Summary | None:
    """The numbers of a cell; None where it has no cycle."""
    if not cycles:
        return None
    samples = [sample for cycle in cycles for sample in rows(cycle)]
    restarts = each_restart(cycles)
    gaps = [each.without_good for each in restarts]
    goods = [each.first_good for each in restarts]
    before = [each.latency_ms for each in samples if each.since is None and each.latency_ms is not None]
    p95_before = percentile(before, 95)
    colds = [cycle.cold for cycle in cycles if cycle.cold is not None]
    return Summary(
        restarts=len(restarts),
        requests=len(samples),
        outcomes=_outcomes(samples),
        without_good_ms=_median_ms(gaps),
        without_good_worst_ms=_worst_ms(gaps),
        first_good_ms=_median_ms(goods),
        first_good_worst_ms=_worst_ms(goods),
        first_new_ms=_median_ms([each.first_new for each in restarts]),
        start_ms=_median_ms([each.start for each in restarts]),
        recovered_ms=recovered_ms(samples, p95_before),
        p95_before_ms=p95_before,
        phases=tuple(_phase(name, samples, during_s) for name in PHASES),
        first_ms=_median(each.first_ms for each in colds),
        warm_ms=_median(each.warm_ms for each in colds),
        first_over_warm=_median(each.first_ms / each.warm_ms for each in colds),
        cpu_s=_median(each.cpu_s for each in colds if each.cpu_s is not None),
        resident_mib=_median(each.resident_mib for each in colds if each.resident_mib is not None),
    )


@dataclass(frozen=True)
class RestartCost:
    """What one restart cost. Seconds; None: not within the cycle."""

    without_good: float | None
    first_good: float | None
    first_new: float | None
    start: float | None


def each_restart(cycles: Sequence[Cycle]) -> list[RestartCost]:
    """What each restart of the cycles cost, in their order."""
    return [_one_restart(rows(cycle), number, cycle) for cycle in cycles for number in range(len(cycle.restarts_s))]


def _one_restart(samples: Sequence[Sample], number: int, cycle: Cycle) -> RestartCost:
    """`number` counts the restarts of the cycle from 0."""
    begin = cycle.restarts_s[number]
    end = cycle.restarts_s[number + 1] if number + 1 < len(cycle.restarts_s) else math.inf
    good = [each for each in samples if each.outcome == "ok" and each.arrived is not None]
    arrivals = sorted(each.arrived for each in good if each.arrived is not None)
    to_new = [each.arrived for each in good if each.arrived and each.intended >= begin]
    of_new = [each.arrived for each in good if each.arrived and each.process is not None and each.process > number]
    new = min(of_new, default=None)
    born = cycle.born_s[number]
    return RestartCost(
        without_good=longest_gap(arrivals, begin, end),
        first_good=min(to_new, default=begin) - begin if to_new else None,
        first_new=None if new is None else new - begin,
        # Its birth is told to a tick, and may seem to be after what it did.
        start=None if new is None or born is None else max(0.0, new - born),
    )


def longest_gap(moments: Sequence[float], begin: float, end: float) -> float | None:
    """The longest stretch from `begin` to `end` (which may be infinite) in which none of the sorted moments lies.

    None: none lies there. After the last of them the stretch counts up to a finite `end`.
    """
    within = [each for each in moments if begin < each <= end]
    if not within:
        return None
    stops = [begin, *within, *([] if math.isinf(end) else [end])]
    return max(later - earlier for earlier, later in itertools.pairwise(stops))


def recovered_ms(samples: Iterable[Sample], p95_before: float | None) -> float | None:
    """Milliseconds from the restart to the begin of the first window in which p95 is back within RECOVERED of its
    level before. A window in which a request got no complete answer is not back; None: never within the cycles.
    """
    if p95_before is None:
        return None
    after = sorted((each for each in samples if each.since is not None), key=lambda each: each.since or 0.0)
    if not after:
        return None
    last = after[-1].since or 0.0
    at = 0.0
    while at + WINDOW_S <= last + STEP_S:
        window = [each for each in after if at <= (each.since or 0.0) < at + WINDOW_S]
        latencies = [each.latency_ms for each in window if each.latency_ms is not None]
        whole = len(latencies) == len(window) and len(window) >= FEWEST_IN_WINDOW
        p95 = percentile(latencies, 95)
        if whole and p95 is not None and p95 <= RECOVERED * p95_before:
            return round(1000 * at, 1)
        at += STEP_S
    return None


def percentile(values: Sequence[float], percent: float) -> float | None:
    """By HdrHistogram, as all percentiles here."""
    return histogram(values).get_value_at_percentile(percent) / 1000 if values else None


def histogram(latencies_ms: Iterable[float]) -> HdrHistogram:
    """Of latencies in milliseconds; the histogram counts microseconds."""
    found = HdrHistogram(1, _HIGHEST_US, _DIGITS)
    for each in latencies_ms:
        found.record_value(max(1, min(_HIGHEST_US, round(1000 * each))))
    return found


def latency_of(latencies_ms: Sequence[float]) -> Latency:
    found = histogram(latencies_ms)

    def at(percent: float) -> float | None:
        return found.get_value_at_percentile(percent) / 1000 if latencies_ms else None

    return Latency(
        answered=len(latencies_ms),
        p50=at(50),
        p90=at(90),
        p99=at(99),
        p999=at(99.9),
        max=max(latencies_ms, default=None),
    )


def phase_of(sample: Sample, during_s: float) -> PhaseName:
    if sample.since is None:
        return "before"
    return "during" if sample.since < during_s else "after"


def _phase(name: PhaseName, samples: Iterable[Sample], during_s: float) -> Phase:
    here = [each for each in samples if phase_of(each, during_s) == name]
    outcomes = _outcomes(here)
    return Phase(
        name=name,
        requests=len(here),
        outcomes=outcomes,
        errors_5xx=outcomes.get("error", 0),
        latency=latency_of([each.latency_ms for each in here if each.latency_ms is not None]),
    )


def _outcomes(samples: Iterable[Sample]) -> dict[SampleOutcome, int]:
    return dict(sorted(Counter(each.outcome for each in samples).items()))


def _median(values: Iterable[float]) -> float | None:
    found = list(values)
    return round(statistics.median(found), 3) if found else None


def _of_those_known(values: Sequence[float | None], choose: Callable[[list[float]], float]) -> float | None:
    """None too where one of them is not known: what never ended is no number, and the longest of all."""
    known = [each for each in values if each is not None]
    return round(1000 * choose(known), 1) if known and len(known) == len(values) else None


def _median_ms(values: Sequence[float | None]) -> float | None:
    return _of_those_known(values, statistics.median)


def _worst_ms(values: Sequence[float | None]) -> float | None:
    return _of_those_known(values, max)
