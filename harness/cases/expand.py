"""Finds scenario files, and expands scenarios to cases."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.cases.case import Case
from harness.cases.reading import MAX_SCRIPT, check_file, entries, is_directory, is_file, shown
from harness.cases.scenario import Hosting, Scenario
from harness.cases.site import site_digest
from harness.errors import BadInput, listing, nearest, shortened
from harness.records import Mode

# A run of all of them would take weeks.
MOST_FILES = 10_000


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
    """The cases of a scenario: each script in each mode with each schedule. Raises BadInput: its site or one of its
    scripts does not exist."""
    site = sites / scenario.site
    if not is_directory(site):
        known = [entry.name for entry in entries(sites) if is_directory(entry)]
        raise BadInput(
            f"{shown(path)}: site: there is no directory {site}{nearest(scenario.site, known)}{listing('sites', known)}"
        )
    cases = []
    digest = site_digest(site.resolve())
    for mode, script, schedule in itertools.product(scenario.modes, scenario.scripts, scenario.schedules):
        script_path = site / "scripts" / f"{script}.wsgi"
        if not is_file(script_path):
            known = [entry.stem for entry in entries(site / "scripts") if entry.suffix == ".wsgi" and is_file(entry)]
            raise BadInput(
                f"{shown(path)}: scripts: there is no file {script_path}{nearest(script, known)}"
                f"{listing('scripts', known)}"
            )
        check_file(script_path, MAX_SCRIPT, "script")
        cases.append(
            Case(
                id=f"{path.stem}::{mode}::{script}::{schedule}",
                scenario=path.stem,
                site=scenario.site,
                script=script,
                script_path=script_path.resolve(),
                site_dir=site.resolve(),
                digest=digest,
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
                **_hosting(scenario.hosting, mode),
                requests=scenario.load.requests,
                users=scenario.load.users,
                follow_up=scenario.load.follow_up,
                timeout=scenario.load.timeout,
                max_body=scenario.load.max_body,
                expectation=next(block for block in scenario.expect if block.selects(mode, script, schedule)),
                thresholds=scenario.thresholds.of(script),
            )
        )
    return cases


def _hosting(hosting: Hosting, mode: Mode) -> dict[str, Any]:
    """A case's share of the [hosting] table, flat."""
    if mode == "daemon":
        sizes: dict[str, Any] = {"processes": hosting.daemon.processes, "threads": hosting.daemon.threads}
    else:
        embedded = hosting.embedded
        sizes = {"mpm": embedded.mpm, "processes": embedded.children, "threads": embedded.threads}
    return {**sizes, "application_group": hosting.application_group}


def scenario_files(given: Sequence[Path]) -> list[Path]:
    """The files of these paths, directories and scenario names; by default all. Raises BadInput: there is none."""
    if not given:
        given = (Path("scenarios"),)
    files: list[Path] = []
    for path in given:
        if is_directory(path):
            files += [entry for entry in entries(path) if entry.suffix == ".toml" and is_file(entry)]
        elif os.path.lexists(path):
            files.append(path)  # if it cannot be read, the message says why
        else:
            known = {file.stem: file for file in sorted(Path("scenarios").rglob("*.toml"))}
            name = path.name.removesuffix(".toml")
            if name not in known:
                raise BadInput(f"there is no scenario file {shown(path)}{nearest(name, known)}")
            files.append(known[name])
    if not files:
        raise BadInput(f"there is no scenario (*.toml) in {shortened(', '.join(map(str, given)), 300)}")
    if len(files) > MOST_FILES:
        raise BadInput(f"{len(files)} scenario files are more than a run can have ({MOST_FILES})")
    return list({os.path.realpath(file): file for file in files}.values())
