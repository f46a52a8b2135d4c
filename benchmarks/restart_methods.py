"""What each restart method costs: time to the first answer of a new process, and what is dropped meanwhile.

    docker compose up -d --wait
    python -m benchmarks.restart_methods

`harness bench` with one script and every method, a request every 20 ms, in a table of its own. Runs on the Compose
stack if that is up (`--backend local`: on private httpds, without container restarts).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.bench.plan import METHODS, RestartLoad
from harness.bench.records import Cell
from harness.bench.run import BenchRun
from harness.bench.summary import Sample, restart_costs, rows
from harness.cases.script import script_case
from harness.hosting.backend import Choice, choose_for
from harness.report.console import say
from harness.runtimes.spec import declared_runtimes

SCRIPT = Path("sites/mysite/scripts/default.wsgi")
# The slowest method, graceful in embedded mode, takes 2.4 s until a new process answers.
LOAD = RestartLoad(rate=50.0, restarts_at=(1.0,), during_s=3.0, after_s=1.0)


def meanwhile(cell: Cell) -> list[Sample]:
    """The requests between each restart and the first answer of a new process, or the end if there was none."""
    samples = []
    for cycle, restart in zip(cell.cycles, restart_costs(cell.cycles), strict=True):
        end = restart.first_new if restart.first_new is not None else cycle.seconds
        samples += [sample for sample in rows(cycle) if sample.since is not None and sample.since <= end]
    return samples


def row(cell: Cell) -> tuple[str, ...]:
    """Medians and longest in ms, then counts."""
    new = [restart.first_new for restart in restart_costs(cell.cycles)]
    known = [1000 * seconds for seconds in new if seconds is not None]
    whole = len(known) == len(new)
    requests = meanwhile(cell)
    return (
        cell.mode,
        cell.restart,
        f"{statistics.median(known):.0f}" if known and whole else "not in the cycle",
        f"{max(known):.0f}" if known and whole else "",
        str(len(requests)),
        str(sum(sample.outcome == "dropped" for sample in requests)),
        str(sum(sample.outcome == "error" for sample in requests)),
    )


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=7, show_default=True, help="restarts by each method")
@click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True)
@click.option("--runtime", default="django52", show_default=True)
@keep_option
def main(rounds: int, backend: Choice, runtime: str, keep: Path | None) -> None:
    """Print a row for each mode and method: medians, and the longest."""
    hosts = choose_for(backend, declared_runtimes(), say)
    table = Table(
        "mode", "method", "first answer of a new process, ms", "longest", "requests meanwhile", "dropped", "5xx"
    )
    table.title = f"backend {hosts.name}, {rounds} restarts by each method"
    with tempfile.TemporaryDirectory() as directory, hosts:
        cells = [
            (f"{mode} {method}", script_case(SCRIPT, mode=mode, restart=method).model_copy(update={"runtime": runtime}))
            for mode, methods in METHODS.items()
            for method in methods
            if method != "container" or hosts.name == "compose"
        ]
        run = BenchRun.new(cells, LOAD, hosts, Path(directory), cycles=rounds, seed=0)
        done = run.go(say)
    for cell in done.cells:
        table.add_row(*row(cell) if cell.cycles else (cell.mode, cell.restart, cell.note))
    show(table, keep=keep)


if __name__ == "__main__":
    sys.exit(main())
