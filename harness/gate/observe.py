"""From judged trials to what the gate compares."""

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
    """What the gate compares of a case. A pure function."""
    reload = case.restart == "reload"
    counting = [each for each in grades if each.counts(reload)]
    looked_at = [each for each in grades if each.cold or each.reloaded]
    bad: Counter[str] = Counter()
    for each in counting:
        bad.update(each.races)
    bad_trials = sum(bool(each.races) for each in counting)
    lazy = Counter(item for each in looked_at for item in {f"{lazy.kind} {lazy.name}".strip() for lazy in each.lazy})
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
        dropped=sum("dropped" in each.outcomes for each in grades),
        cold=len(looked_at),
        lazy=dict(sorted(lazy.items())),
        lazy_in_request=max((len(each.lazy) for each in looked_at), default=0),
        first_over_warm=tuple(round(each, 2) for each in ratios),
    )
