"""The gate under pytest: one item for each case, with the outcome in the item's properties (and so in JUnit XML)."""

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

# Properties of an item: JUnit XML shows them, and xdist carries them from a worker to the summary.
HEADLINE = "harness_gate"
WORSE = "harness_gate_worse"
_SEPARATOR = "\n"


class ItemGate:
    """Judges one case after another. The error of the whole run is divided among its cases (Bonferroni)."""

    def __init__(self, name: str | None, results: Path) -> None:
        """Raises BadInput: there is no baseline of that name."""
        self._name = name
        self._results = results
        self._outcome: Outcome | None = None
        if name is not None:
            read_baseline(name, results)

    def judge(self, case: Case, result: CaseResult, backend: Backend, session: Session, cases: int) -> list[str]:
        """A sentence for each thing that got worse. Raises HarnessError."""
        baselines = find_baselines([case.scenario], self._name, self._results)
        # A baseline need not have every case that pytest collects.
        baselines = {scenario: stored for scenario, stored in baselines.items() if case.id in stored.by_case}
        if not baselines and not has_limits(case.thresholds):
            self._outcome = None
            return []
        with_ratio = case.thresholds.ratio_limit is not None or any(
            stored.by_case[case.id].first_over_warm for stored in baselines.values()
        )
        observed = of_run(case, result, backend, session, COLD_STARTS if with_ratio else 0)
        self._outcome = judge_observed([case], [observed], baselines, error=FAMILY_ERROR / max(1, cases))
        return self._outcome.sentences

    def properties(self, result: CaseResult) -> list[tuple[str, object]]:
        """The properties of the item that was judged last."""
        properties: list[tuple[str, object]] = [
            ("harness_verdict", result.verdict),
            ("harness_effective_trials", result.effective_trials),
            ("harness_bad_trials", result.bad_trials),
            ("harness_lazy_in_request", result.lazy_in_request),
        ]
        if self._outcome is None:
            return [*properties, (HEADLINE, f"gate: nothing to compare with (`harness baseline {result.scenario}`)")]
        properties.append((HEADLINE, f"{self._outcome.headline}, compared with {self._outcome.compared_with}"))
        if self._outcome.sentences:
            properties.append((WORSE, _SEPARATOR.join(self._outcome.sentences)))
        return properties


ItemProperties = Sequence[tuple[str, Mapping[str, object]]]
"""Each item's name and its properties."""


def gate_lines(items: ItemProperties) -> list[str]:
    """One line for each item that was gated, for the terminal."""
    return [f"{name}: {properties[HEADLINE]}" for name, properties in items if HEADLINE in properties]


def write_gate_summary(items: ItemProperties) -> None:
    """Write the summary of the items where the CI service asks for one. Raises BadInput."""
    worse = [
        sentence for _, properties in items for sentence in str(properties.get(WORSE, "")).split(_SEPARATOR) if sentence
    ]
    lines = gate_lines(items)
    write_summary(markdown_list(f"gate: {len(lines)} cases", worse, lines), None)
