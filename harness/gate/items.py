"""The gate under pytest: one case an item, what it came to in the item's properties (JUnit's, too)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.gate.compare import has_limits
from harness.gate.judge import find_baselines, judge_observed
from harness.gate.measure import COLD_STARTS, of_run
from harness.gate.records import read_baseline
from harness.gate.statistics import FAMILY_ERROR
from harness.gate.summary import Outcome, markdown_list, write_summary
from harness.hosting.backend import Backend
from harness.result import CaseResult
from harness.run.session import Session

# Properties of an item: what JUnit shows, and what reaches the summary from an xdist worker.
HEADLINE = "harness_gate"
WORSE = "harness_gate_worse"
_SEPARATOR = "\n"


class ItemGate:
    """Judges one case after the other. The error of the whole run is shared out among its cases (Bonferroni)."""

    def __init__(self, name: str | None, results: Path) -> None:
        """Raises BadInput: there is no baseline of that name."""
        self._name = name
        self._results = results
        self._outcome: Outcome | None = None
        if name is not None:
            read_baseline(name, results)

    def judge(self, case: Case, result: CaseResult, backend: Backend, session: Session, cases: int) -> list[str]:
        """What got worse, a sentence each. Raises HarnessError."""
        baselines = find_baselines([case.scenario], self._name, self._results)
        for scenario, each in list(baselines.items()):
            if case.id not in each.by_case:  # a baseline need not know every case that pytest collects
                del baselines[scenario]
        if not baselines and not has_limits(case.thresholds):
            self._outcome = None
            return []
        wanted = case.thresholds.ratio_limit is not None or any(
            each.by_case[case.id].first_over_warm for each in baselines.values()
        )
        observed = of_run(case, result, backend, session, COLD_STARTS if wanted else 0)
        self._outcome = judge_observed([case], [observed], baselines, error=FAMILY_ERROR / max(1, cases))
        return self._outcome.sentences

    def properties(self, result: CaseResult) -> list[tuple[str, object]]:
        """Of the item that was judged last."""
        found: list[tuple[str, object]] = [
            ("harness_verdict", result.verdict),
            ("harness_effective_trials", result.effective_trials),
            ("harness_bad_trials", result.bad_trials),
            ("harness_lazy_in_request", result.lazy_in_request),
        ]
        if self._outcome is None:
            return [*found, (HEADLINE, f"gate: nothing to compare with (`harness baseline {result.scenario}`)")]
        found.append((HEADLINE, f"{self._outcome.headline}, compared with {self._outcome.compared_with}"))
        if self._outcome.sentences:
            found.append((WORSE, _SEPARATOR.join(self._outcome.sentences)))
        return found


ItemProperties = Sequence[tuple[str, Mapping[str, object]]]
"""Each item's name and its properties."""


def gate_lines(told: ItemProperties) -> list[str]:
    """For the terminal: one line for each item that was gated."""
    return [f"{name}: {properties[HEADLINE]}" for name, properties in told if HEADLINE in properties]


def write_gate_summary(told: ItemProperties) -> None:
    """Where the CI service asks for a summary. Raises BadInput."""
    worse = [
        sentence for _, properties in told for sentence in str(properties.get(WORSE, "")).split(_SEPARATOR) if sentence
    ]
    gated = sum(HEADLINE in properties for _, properties in told)
    write_summary(markdown_list(f"gate: {gated} cases", worse, gate_lines(told)), None)
