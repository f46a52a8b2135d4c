"""The outcome of the gate: of a run against its baselines and thresholds, or of pairs that are measured here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.errors import Inconclusive
from harness.gate.compare import HypothesisTest, compare_thresholds, compare_with, has_limits
from harness.gate.pairs import BrokenSide, PairRunner, check_enough, compare_pairs
from harness.gate.records import Baseline, CaseCounts, baseline_path, read_baseline
from harness.gate.statistics import FAMILY_ERROR, Significance
from harness.gate.summary import Outcome
from harness.hosting.backend import Backend
from harness.run.session import Session


def find_baselines(scenarios: Iterable[str], name: str | None, results: Path) -> dict[str, Baseline]:
    """The baseline of each scenario: `name`, or else the one named as the scenario, where there is one. Raises
    BadInput: there is no baseline `name`, or one cannot be read."""
    if name is not None:
        return dict.fromkeys(scenarios, read_baseline(name, results))
    return {
        scenario: read_baseline(scenario, results)
        for scenario in scenarios
        if os.path.lexists(baseline_path(scenario, results))
    }


def judge_observed(
    cases: Sequence[Case],
    observed: Sequence[CaseCounts],
    baselines: Mapping[str, Baseline],
    notes: Iterable[str] = (),
    error: float = FAMILY_ERROR,
) -> Outcome:
    """A run against its baselines and thresholds; `error` is the chance of any false alarm. Raises BadInput."""
    tests: list[HypothesisTest] = []
    all_notes = list(notes)
    scenario_of = {case.id: case.scenario for case in cases}
    for scenario in dict.fromkeys(scenario_of.values()):
        here = [counts for counts in observed if scenario_of.get(counts.case) == scenario]
        if scenario not in baselines:
            all_notes.append(f"{scenario} has no baseline: `harness baseline {scenario}`")
        elif here:
            since_baseline, unknown = compare_with(baselines[scenario], here)
            tests += since_baseline
            all_notes += [f"{name} is not in {baselines[scenario]}" for name in unknown]
    by_id = {counts.case: counts for counts in observed}
    for case in cases:
        if case.id in by_id and has_limits(case.thresholds):
            tests += compare_thresholds(case.thresholds, by_id[case.id])
    with_limits = ["the scenario's thresholds"] if any(has_limits(case.thresholds) for case in cases) else []
    return Outcome(
        compared_with=" and ".join([*dict.fromkeys(map(str, baselines.values())), *with_limits]) or "nothing",
        tests=tuple(tests),
        observed=tuple(observed),
        notes=tuple(all_notes),
        inconclusive=tuple(
            f"{counts.case}: {counts.reason}" for counts in observed if counts.verdict == "inconclusive"
        ),
        error=error,
    )


def compare_live(
    sides: Sequence[tuple[Case, Case]],
    backend: Backend,
    session: Session,
    *,
    against: str,
    pairs: int,
    tolerance: float,
    tell: Callable[[str], None],
) -> Outcome:
    """Old and new of each case, in pairs of cold starts. Raises HarnessError."""
    tests: list[HypothesisTest] = []
    notes: list[str] = []
    inconclusive: list[str] = []
    since = f"compared with {against}"
    for old, new in sides:
        tell(f"{new.id}: {pairs} pairs of cold starts")
        try:
            with PairRunner(old, new, backend, session.locust, session.directory / "cases") as runner:
                timings = runner.pairs(pairs)
            check_enough(timings, new)
            tests += compare_pairs(old, new, timings, since, tolerance)
        except BrokenSide as broken:
            if broken.case is old:
                notes.append(f"{new.id} was broken in {against}, so it cannot be worse now")
            else:
                what = f"is broken now, one request at a time too ({broken.why})"
                tests.append(HypothesisTest(new.id, what, since, Significance(0.0, 0.0), certain=True))
        except Inconclusive as error:
            inconclusive.append(str(error))
    return Outcome(
        compared_with=f"{against}, side by side in run {session.run}",
        tests=tuple(tests),
        notes=tuple(notes),
        inconclusive=tuple(inconclusive),
    )
