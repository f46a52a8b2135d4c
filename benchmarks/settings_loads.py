"""How often, and under which names, each script of 2010 has its settings loaded in one cold process.

    python -m benchmarks.settings_loads

The settings of `mysite2010` tell each load in Apache's error log, with what is on sys.path and the working directory.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.cases.case import Case
from harness.cases.expand import expand
from harness.cases.scenario import load_scenario
from harness.hosting.local import LocalHost
from harness.hosting.preparing import ServerRuntime, prepare
from harness.report.console import say
from harness.run.control import run_control
from harness.runtimes.spec import declared_runtimes

SCENARIO = Path("scenarios/mysite2010.toml")
TOLD = re.compile(r"mysite2010 settings: (\S+) = (.*)")


def loads(case: Case, runtime: ServerRuntime) -> dict[str, list[Any]]:
    """What the loads of one cold process told, after one request: each field's values, a load each."""
    with LocalHost(case.model_copy(update={"users": 1, "follow_up": 0}), runtime, slots=1, flights=1) as host:
        control = run_control(host, 1)
    found: dict[str, list[Any]] = defaultdict(list)
    for line in control.evidence.log:
        if match := TOLD.search(line.text):
            found[match[1]].append(ast.literal_eval(match[2]))
    return found


@click.command()
@keep_option
def main(keep: Path | None) -> None:
    """Print a row for each script."""
    cases = [each for each in expand(load_scenario(SCENARIO), SCENARIO, Path("sites")) if each.mode == "daemon"]
    runtime = prepare(cases[0].runtime, declared_runtimes()[cases[0].runtime], say)
    table = Table(
        "script", "loads of the settings", "as", "sys.path has", "working directory", title="one cold process"
    )
    for case in cases:
        told = loads(case, runtime)
        parent = case.site_dir
        places = {"the site": str(parent / "mysite"), "its parent": str(parent)}
        here = [name for name, place in places.items() if all(place in path for path in told["sys.path"])]
        cells = (told["__name__"], here, sorted(set(told["cwd"])))
        table.add_row(case.script, str(len(told["pid"])), *(", ".join(map(str, each)) for each in cells))
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
