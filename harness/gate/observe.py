"""From judged trials to what the gate compares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.bench.plan import processes_and_threads
from harness.cases.case import Case
from harness.checkers.findings import TrialGrade
from harness.checkers.grade import grade
from harness.checkers.yardstick import Yardstick
from harness.gate.records import CaseCounts
from harness.records import BackendName, Control, Trial, VerdictName
from harness.store.history import read
from harness.verdict import RACES


def grades_of(path: Path, case: Case) -> list[TrialGrade]:
    """The trials of a stored history, judged. Raises BadInput."""
    controls = [each for each in read(path) if isinstance(each, Control)]
    baseline = Yardstick.of(case.requests, controls)
    return [grade(each, baseline) for each in read(path) if isinstance(each, Trial)]


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
    counting = [each for each in grades if each.effective or (reload and each.reloaded)]
    looked_at = [each for each in grades if each.cold or each.reloaded]
    bad: Counter[str] = Counter()
    for each in counting:
        bad.update({RACES[name] for name in each.outcomes if name in RACES})
    bad_trials = sum(bool(RACES.keys() & each.outcomes.keys()) for each in counting)
    lazy = Counter(item for each in looked_at for item in {f"{lazy.kind} {lazy.name}".strip() for lazy in each.lazy})
    processes, threads = processes_and_threads(case)
    return CaseCounts(
        case=case.id,
        schedule=case.schedule,
        mode=case.mode,
        restart=case.restart,
        processes=processes,
        threads=threads,
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
