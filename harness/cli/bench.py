"""`harness bench`: what restarts cost, under load."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from harness.bench.plan import METHODS, RestartLoad, Variation, cells_of, check_load
from harness.bench.records import Bench, encode_bench
from harness.bench.run import BenchRun, check_same_versions, interrupted_bench
from harness.bench.table import exit_code
from harness.cases.withheld import all_restored
from harness.cli import options
from harness.cli.output import check_json, console_beside, keep_page, write_json
from harness.cli.trials import path_text
from harness.errors import MissingRuntime
from harness.hosting.backend import Choice, choose_for
from harness.records import Mode, RestartMethod
from harness.report.console import print_bench, say
from harness.run.selection import check_runtimes, load_scenarios
from harness.runtimes.spec import declared_runtimes

_PRELOAD = {"off": (False,), "on": (True,), "both": (False, True)}
_ALL_METHODS = list(dict.fromkeys([*METHODS["daemon"], *METHODS["embedded"], "reload"]))


@click.command()
@options.required_scenarios
@click.option("--script", "scripts", multiple=True, help="compare these scripts of the site; repeatable")
@click.option(
    "--mode", "modes", type=click.Choice(["daemon", "embedded"]), multiple=True, help="mod_wsgi's modes; repeatable"
)
@click.option(
    "--restart", "restarts", type=click.Choice(_ALL_METHODS), multiple=True, help="restart methods; repeatable"
)
@click.option("--processes", type=click.IntRange(1, 16), multiple=True, help="server processes; repeatable")
@click.option("--threads", type=click.IntRange(1, 100), multiple=True, help="threads per process; repeatable")
@click.option(
    "--preload",
    type=click.Choice(list(_PRELOAD)),
    default="off",
    show_default=True,
    help="let the server import the script when a process starts",
)
@click.option("--rate", type=options.FiniteRange(1, 5000), default=50.0, show_default=True, help="requests per second")
@click.option("--cycles", type=click.IntRange(1, 1000), default=5, show_default=True, help="restart cycles per cell")
@click.option(
    "--restart-at",
    type=options.FiniteRange(0.1, 600),
    multiple=True,
    default=[1.5],
    show_default=True,
    help="seconds from the start of a cycle to its restart; repeatable",
)
@click.option(
    "--during",
    type=options.FiniteRange(0.5, 600),
    default=3.0,
    show_default=True,
    help="length of the restart window, in seconds from the restart",
)
@click.option(
    "--after",
    type=options.FiniteRange(0.1, 600),
    default=1.5,
    show_default=True,
    help="seconds of load after the restart window",
)
@click.option(
    "--workers",
    type=click.IntRange(0, 32),
    default=0,
    show_default=True,
    help="Locust worker processes under a Locust master; 0: one Locust process",
)
@options.sites
@options.runtime
@options.runtimes
@options.backend
@options.seed("seed of the order of the cycles", default=20100321)
@options.results
@options.json_file("bench.json")
def bench(
    scenarios: tuple[Path, ...],
    scripts: tuple[str, ...],
    modes: tuple[Mode, ...],
    restarts: tuple[RestartMethod, ...],
    processes: tuple[int, ...],
    threads: tuple[int, ...],
    preload: str,
    rate: float,
    cycles: int,
    restart_at: tuple[float, ...],
    during: float,
    after: float,
    workers: int,
    sites: Path,
    runtime: str | None,
    runtimes: Path | None,
    backend: Choice,
    seed: int,
    results: Path,
    json_file: Path | None,
) -> None:
    """Measure what a restart costs the users of SCENARIOS, under a constant rate of requests.

    Whatever is given more than once is compared side by side, in alternating cycles.
    """
    check_json(json_file)
    load = check_load(RestartLoad(rate, restart_at, during, after))
    vary = Variation(scripts, modes, restarts, processes, threads, _PRELOAD[preload])
    declared = declared_runtimes(runtimes)
    cells = [
        cell
        for path, scenario in load_scenarios(scenarios)
        for cell in cells_of(scenario, path, sites, vary, runtime=runtime)
    ]
    hosts = choose_for(backend, declared, say)
    check_runtimes((case for _, case in cells), declared)
    command = "harness " + " ".join(sys.argv[1:])
    with hosts:
        for _, case in cells:
            with contextlib.suppress(MissingRuntime):  # its cell says so
                hosts.prepare(case)
        run = BenchRun.new(
            cells,
            load,
            hosts,
            results,
            cycles=cycles,
            seed=seed,
            workers=workers,
            command=command,
            runtimes=path_text(runtimes),
        )
        measured = run.go(say)
    print_measured(run.directory, measured, json_file)
    click.get_current_context().exit(exit_code(measured))


def resume_bench(
    directory: Path, environment: Mapping[str, str], headers: Mapping[str, str], json_file: Path | None
) -> Bench:
    """Go on with a bench run, and print the whole of it. Raises HarnessError."""
    check_json(json_file)
    journal = interrupted_bench(directory)
    cases = all_restored([column.case for column in journal.columns], environment, headers)
    for column, case in zip(journal.columns, cases, strict=True):
        column.case = case
    plan = journal.plan
    declared = declared_runtimes(Path(plan.runtimes) if plan.runtimes else None)
    check_runtimes((column.case for column in journal.columns), declared)
    made = sum(len(column.cycles) for column in journal.columns)
    say(f"run {directory.name} goes on: it has {made} of {plan.cycles * len(journal.columns)} cycles")
    with choose_for(plan.backend, declared, say) as hosts:
        for column in journal.columns:
            with contextlib.suppress(MissingRuntime):  # its cell says so
                hosts.prepare(column.case)
        check_same_versions(journal, hosts)
        measured = BenchRun(journal, hosts, directory, begun=True).go(say)
    print_measured(directory, measured, json_file)
    return measured


def print_measured(directory: Path, measured: Bench, json_file: Path | None) -> None:
    """The tables, where the page is, and JSON where it was asked for."""
    console = console_beside(json_file)
    print_bench(console, measured)
    keep_page(console, directory, measured)
    write_json(json_file, encode_bench(measured))
    if measured.status != "complete":
        click.echo(
            f"harness: interrupted; what was measured is kept, nothing is left running, and `harness resume "
            f"{directory.name}` goes on",
            err=True,
        )
