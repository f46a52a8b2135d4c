"""How often, and under which names, each script of 2010 has its settings loaded in one cold process.

    python -m benchmarks.settings_loads

The settings of `mysite2010` write a line for each load to Apache's error log, with sys.path and the working directory.
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
LOAD_LINE = re.compile(r"mysite2010 settings: (\S+) = (.*)")


def loads(case: Case, runtime: ServerRuntime) -> dict[str, list[Any]]:
    """The values of each field that one cold process wrote, after one request: one for each load."""
    with LocalHost(case.model_copy(update={"users": 1, "follow_up": 0}), runtime, slots=1, parallel=1) as host:
        control = run_control(host, 1)
    values: dict[str, list[Any]] = defaultdict(list)
    for line in control.evidence.log:
        if match := LOAD_LINE.search(line.text):
            values[match[1]].append(ast.literal_eval(match[2]))
    return values


@click.command()
@keep_option
def main(keep: Path | None) -> None:
    """Print a row for each script."""
    cases = [case for case in expand(load_scenario(SCENARIO), SCENARIO, Path("sites")) if case.mode == "daemon"]
    runtime = prepare(cases[0].runtime, declared_runtimes()[cases[0].runtime], say)
    table = Table(
        "script", "loads of the settings", "as", "sys.path has", "working directory", title="one cold process"
    )
    for case in cases:
        values = loads(case, runtime)
        parent = case.site_dir
        places = {"the site": str(parent / "mysite"), "its parent": str(parent)}
        here = [name for name, place in places.items() if all(place in path for path in values["sys.path"])]
        cells = (values["__name__"], here, sorted(set(values["cwd"])))
        table.add_row(case.script, str(len(values["pid"])), *(", ".join(map(str, cell)) for cell in cells))
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
