"""TODO."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from harness.cases.case import Case, site_digest
from harness.cases.scenario import Scenario
from harness.errors import BadInput, listing, nearest


def expand(
    scenario: Scenario,
    path: Path,
    sites: Path,
    *,
    trials: int | None = None,
    seed: int | None = None,
    runtime: str | None = None,
    full: bool = False,
) -> list[Case]:
    """The cases of a scenario: each script in each mode with each schedule.

    Raises:
        BadInput: a site or script that does not exist.
    """
    site = sites / scenario.site
    if not site.is_dir():
        known = sorted(each.name for each in sites.iterdir() if each.is_dir()) if sites.is_dir() else []
        raise BadInput(
            f"{path}: site: there is no directory {site}{nearest(scenario.site, known)}{listing('sites', known)}"
        )
    cases = []
    for mode, script, schedule in itertools.product(scenario.modes, scenario.scripts, scenario.schedules):
        script_path = site / "scripts" / f"{script}.wsgi"
        if not script_path.is_file():
            known = sorted(each.stem for each in (site / "scripts").glob("*.wsgi"))
            raise BadInput(
                f"{path}: scripts: there is no file {script_path}{nearest(script, known)}{listing('scripts', known)}"
            )
        cases.append(
            Case(
                id=f"{path.stem}::{mode}::{script}::{schedule}",
                scenario=path.stem,
                site=scenario.site,
                script=script,
                script_path=script_path.resolve(),
                digest=site_digest(script_path.resolve()),
                runtime=runtime or scenario.runtime,
                mode=mode,
                schedule=schedule,
                restart=scenario.restart,
                trials=trials or scenario.trials,
                full=full,
                seed=scenario.seed if seed is None else seed,
                environment=scenario.environment,
                invariant=scenario.invariant,
                perturb=scenario.perturb,
                hosting=scenario.hosting,
                requests=scenario.load.requests,
                users=scenario.load.users,
                follow_up=scenario.load.follow_up,
                timeout=scenario.load.timeout,
                expectation=next(each for each in scenario.expect if each.selects(mode, script, schedule)),
                thresholds=scenario.thresholds.of(script),
            )
        )
    return cases


def scenario_files(given: Sequence[Path]) -> list[Path]:
    """The files that are meant: a file, all of a directory, the name of one in scenarios/. Raises BadInput."""
    if not given:
        given = (Path("scenarios"),)
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            files += sorted(path.glob("*.toml"))
        elif path.is_file():
            files.append(path)
        else:
            known = {each.stem: each for each in sorted(Path("scenarios").rglob("*.toml"))}
            named = path.name.removesuffix(".toml")
            if named not in known:
                raise BadInput(f"there is no scenario file {path}{nearest(named, known)}")
            files.append(known[named])
    if not files:
        raise BadInput(f"there is no scenario (*.toml) in {', '.join(map(str, given))}")
    return files
