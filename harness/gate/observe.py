"""From graded trials to the counts that the gate compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.cases.case import Case
from harness.checkers.findings import TrialGrade
from harness.gate.records import CaseCounts
from harness.records import BackendName, VerdictName


def observe(
    case: Case,
    grades: Sequence[TrialGrade],
    *,
    backend: BackendName,
    verdict: VerdictName,
    reason: str,
    ratios: Iterable[float] = (),
) -> CaseCounts:
    """The counts of a case. A pure function."""
    reload = case.restart == "reload"
    counting = [grade for grade in grades if grade.counts(reload)]
    fresh = [grade for grade in grades if grade.cold or grade.reloaded]
    bad: Counter[str] = Counter()
    for grade in counting:
        bad.update(grade.races)
    bad_trials = sum(bool(grade.races) for grade in counting)
    lazy = Counter(item for grade in fresh for item in {f"{lazy.kind} {lazy.name}".strip() for lazy in grade.lazy})
    return CaseCounts(
        case=case.id,
        schedule=case.schedule,
        mode=case.mode,
        restart=case.restart,
        processes=case.processes,
        threads=case.threads,
        users=case.users,
        runtime=case.runtime,
        backend=backend,
        verdict=verdict,
        reason=reason,
        made=len(grades),
        trials=len(counting),
        bad_trials=bad_trials,
        bad=dict(sorted(bad.items())),
        dropped=sum("dropped" in grade.outcomes for grade in grades),
        cold=len(fresh),
        lazy=dict(sorted(lazy.items())),
        lazy_in_request=max((len(grade.lazy) for grade in fresh), default=0),
        first_over_warm=tuple(round(ratio, 2) for ratio in ratios),
    )
