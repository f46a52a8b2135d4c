"""From the scenarios that a user names to cases: the one way for every command and for pytest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.cases.expand import expand, scenario_files
from harness.cases.scenario import Scenario, load_scenario
from harness.errors import BadInput, nearest
from harness.runtimes.spec import RuntimeSpec, spec_named


def load_scenarios(given: Sequence[Path]) -> list[tuple[Path, Scenario]]:
    """The scenarios that are named (all of scenarios/ when none is), each with its file. Raises BadInput."""
    return [(path, load_scenario(path)) for path in scenario_files(given)]


def select_cases(
    given: Sequence[Path],
    sites: Path,
    declared: dict[str, RuntimeSpec],
    *,
    pattern: str = "",
    trials: int | None = None,
    seed: int | None = None,
    runtime: str | None = None,
    full: bool = False,
) -> list[Case]:
    """The cases of the named scenarios whose id contains `pattern`; options that are None are as the files say. Raises
    BadInput: a scenario, site, script or runtime that does not exist, or no case left."""
    cases = [
        case
        for path, scenario in load_scenarios(given)
        for case in expand(scenario, path, sites, trials=trials, seed=seed, runtime=runtime, full=full)
    ]
    chosen = [case for case in cases if pattern in case.id]
    if not chosen:
        raise BadInput(f"--case {pattern!r} matches none of the cases{nearest(pattern, [case.id for case in cases])}")
    check_runtimes(chosen, declared)
    return chosen


def check_runtimes(cases: Iterable[Case], declared: dict[str, RuntimeSpec]) -> None:
    """Raises BadInput: a case of a runtime that is not declared."""
    for case in cases:
        spec_named(case.runtime, declared)
