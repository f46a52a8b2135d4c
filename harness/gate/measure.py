"""What the gate measures: trials and cold starts of a case, counted as the gate compares them."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from harness.bench.cold import measure_cold
from harness.cases.case import Case
from harness.checkers.findings import TrialGrade
from harness.errors import BadInput, HarnessError, MissingRuntime
from harness.gate.records import BASELINE_VERSION, Baseline, CaseCounts
from harness.hosting.backend import Backend
from harness.hosting.host import Host
from harness.records import BackendName, VerdictName
from harness.result import CaseResult, RunResult
from harness.run.session import Session, SilentWatcher, Watcher
from harness.run.turns import in_turns
from harness.store.regrade import regrade
from harness.store.runs import histories
from harness.store.stored_case import StoredCase

# Cold starts for the ratio: enough for a sign test at 1 % in a family of a few (0.5 ** 12 = 0.0002).
COLD_STARTS = 12
# Slots that become cold while another is measured: with four of them nobody waits for a restart.
SLOTS = 4


def measure_all(
    cases: Sequence[Case],
    backend: Backend,
    session: Session,
    *,
    cold_starts: int = COLD_STARTS,
    watcher: Watcher | None = None,
    skip: Callable[[Case, str], None] = lambda *_: None,
) -> list[CaseCounts]:
    """Run the cases; one whose runtime is missing is skipped. Raises HarnessError, KeyboardInterrupt."""
    session.announce(cases)
    observed = []
    try:
        for group in in_turns(cases):
            try:
                results, stopped = session.run_together(group, backend, watcher or SilentWatcher())
            except MissingRuntime as error:
                for case in group:
                    skip(case, str(error))
                continue
            if stopped:
                raise KeyboardInterrupt
            for case, result in zip(group, results, strict=True):
                observed.append(of_run(case, result, backend, session, cold_starts))
    finally:
        session.write(session.result("complete" if len(observed) == len(cases) else "interrupted"))
    return observed


def of_run(
    case: Case, result: CaseResult, backend: Backend, session: Session, cold_starts: int = COLD_STARTS
) -> CaseCounts:
    """The counts of a case that this session has just run, with the ratios of more cold starts. Raises HarnessError."""
    ratios = []
    if cold_starts and result.verdict not in ("broken", "inconclusive") and case.restart != "reload":
        with backend.host(case, 1, slots=SLOTS) as host:
            ratios = [_ratio(host) for _ in range(cold_starts)]
    return of_history(StoredCase(session.history_path(case)), result, ratios)


def _ratio(host: Host) -> float:
    with host.cold() as slot:
        cold = measure_cold(slot, host.case.timeout)
    return cold.first_ms / cold.warm_ms


def of_history(stored: StoredCase, result: CaseResult, ratios: Sequence[float] = ()) -> CaseCounts:
    """The counts of a stored case; inconclusive where they cannot be made. Raises BadInput."""
    try:
        return observe(
            stored.case,
            [graded for _, graded in stored.graded()],
            backend=result.backend,
            verdict=result.verdict,
            reason=result.reason,
            ratios=ratios,
        )
    except HarnessError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass for "not worse"
        reason = f"its trials cannot be counted: {type(error).__name__}: {error}"
        return observe(stored.case, (), backend=result.backend, verdict="inconclusive", reason=reason)


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
    return CaseCounts.of(
        case,
        case=case.id,
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


def of_stored(directory: Path) -> tuple[RunResult, list[tuple[Case, CaseCounts]]]:
    """The cases of a stored run with their counts, from its histories alone: without ratios. Raises BadInput."""
    result = regrade(directory)
    by_id = {case.case: case for case in result.cases}
    observed = [
        (stored.case, of_history(stored, by_id[stored.case.id]))
        for stored in map(StoredCase, histories(directory))
        if stored.case.id in by_id
    ]
    if not observed:
        raise BadInput(f"{directory}: has no case that could be compared")
    return result, observed


def baseline_of(name: str, session: Session, observed: Sequence[CaseCounts]) -> Baseline:
    """The baseline of this session's run."""
    return Baseline(
        schema_version=BASELINE_VERSION,
        name=name,
        run=session.run,
        made=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}",
        environment=session.environment,
        cases=tuple(observed),
    )
