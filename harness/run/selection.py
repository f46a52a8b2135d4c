"""From the scenarios that a user names to cases: the one way for every command and for pytest."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.cases.expand import expand, scenario_files
from harness.cases.scenario import Scenario, load_scenario
from harness.errors import BadInput, nearest, quoted
from harness.runtimes.spec import RuntimeSpec, spec_named
from harness.store.history import file_name


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
    chosen = [case for case in distinct(cases) if pattern in case.id]
    if not chosen:
        raise BadInput(
            f"--case {quoted(pattern)} matches none of the cases{nearest(pattern, [case.id for case in cases])}"
        )
    check_runtimes(chosen, declared)
    return chosen


def distinct(cases: Sequence[Case], taken: Iterable[str] = ()) -> list[Case]:
    """The cases with ids of their own: one that two files (or tests) of one name would share, or that is among those
    `taken`, gets a number behind its first part, `mysite-2::daemon::default::natural`."""
    files = set(map(file_name, taken))
    renamed = []
    for case in cases:
        first, separator, rest = case.id.partition("::")
        ids = itertools.chain([case.id], (f"{first}-{number}{separator}{rest}" for number in itertools.count(2)))
        name = next(name for name in ids if file_name(name) not in files)
        files.add(file_name(name))
        renamed.append(case if name == case.id else case.model_copy(update={"id": name}))
    return renamed


def check_runtimes(cases: Iterable[Case], declared: dict[str, RuntimeSpec]) -> None:
    """Raises BadInput: a case of a runtime that is not declared."""
    for case in cases:
        spec_named(case.runtime, declared)
