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

import click
import requests
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.hosting.local import LocalHost
from harness.report.console import say
from harness.runtime import Runtime, declared_runtimes, prepare
from harness.scenario import Case, expand, load_scenario

SCENARIO = Path("scenarios/mysite2010.toml")
TOLD = re.compile(r"mysite2010 settings: (\S+) = (.*)")


def loads(case: Case, runtime: Runtime) -> dict[str, list[object]]:
    """What the loads of one cold process told, after one request: each field's values, a load each."""
    found: dict[str, list[object]] = defaultdict(list)
    with LocalHost(case, runtime, slots=1, flights=1) as host, host.cold() as slot:
        address, port = slot.address
        with requests.Session() as session:
            session.trust_env = False
            session.get(f"http://{address}:{port}{case.requests[0].path}", headers=slot.headers, timeout=case.timeout)
        for line in host.take_log(slot, [each.process for each in host.watch(slot)]):
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
        parent = case.script_path.parent.parent
        places = {"the site": str(parent / "mysite"), "its parent": str(parent)}
        here = [name for name, place in places.items() if all(place in path for path in told["sys.path"])]  # type: ignore[operator]
        cells = (told["__name__"], here, sorted(set(told["cwd"])))  # type: ignore[type-var]
        table.add_row(case.script, str(len(told["pid"])), *(", ".join(map(str, each)) for each in cells))
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
