"""`harness bench`: a thin door to harness.bench."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from harness.bench.plan import METHODS, RestartLoad, Variation, cells_of, check_load
from harness.bench.records import encode_bench
from harness.bench.run import BenchRun
from harness.bench.table import print_bench, rate_was_kept
from harness.cases.expand import scenario_files
from harness.cases.scenario import load_scenario
from harness.cli.stored import keep_page
from harness.errors import BadInput, MissingRuntime
from harness.hosting.backend import Choice, choose_for
from harness.records import Mode, RestartMethod
from harness.report.console import open_console, print_plain, say
from harness.runtimes.spec import declared_runtimes, spec_named

_PRELOAD = {"off": (False,), "on": (True,), "both": (False, True)}
_ALL_METHODS = list(dict.fromkeys([*METHODS["daemon"], *METHODS["embedded"], "reload"]))


@click.command()
@click.argument("scenarios", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--script", "scripts", multiple=True, help="compare these scripts of the site; repeatable")
@click.option("--mode", "modes", type=click.Choice(["daemon", "embedded"]), multiple=True, help="repeatable")
@click.option("--restart", "restarts", type=click.Choice(_ALL_METHODS), multiple=True, help="repeatable")
@click.option("--processes", type=click.IntRange(1, 16), multiple=True, help="repeatable")
@click.option("--threads", type=click.IntRange(1, 100), multiple=True, help="repeatable")
@click.option(
    "--preload",
    type=click.Choice(list(_PRELOAD)),
    default="off",
    show_default=True,
    help="let the server import the script when a process starts",
)
@click.option("--rate", type=click.FloatRange(1, 5000), default=50.0, show_default=True, help="requests a second")
@click.option("--cycles", type=click.IntRange(1, 1000), default=5, show_default=True, help="of each cell")
@click.option(
    "--restart-at",
    type=click.FloatRange(0.1, 600),
    multiple=True,
    default=[1.5],
    show_default=True,
    help="seconds into the cycle; repeatable",
)
@click.option(
    "--during",
    type=click.FloatRange(0.5, 600),
    default=3.0,
    show_default=True,
    help="seconds from a restart that count as during it",
)
@click.option("--after", type=click.FloatRange(0.1, 600), default=1.5, show_default=True, help="seconds after that")
@click.option(
    "--workers",
    type=click.IntRange(0, 32),
    default=0,
    show_default=True,
    help="Locust worker processes under a Locust master; 0: one Locust process",
)
@click.option("--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True)
@click.option("--runtime", help="run on this runtime")
@click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own")
@click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=20100321, show_default=True, help="of the order of the cycles")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write bench.json here too")
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
    """What a restart costs the users of SCENARIOS, under a constant rate of requests.

    Everything that is given more than once is compared side by side, in cycles that take turns.
    """
    if json_file is not None and not json_file.absolute().parent.is_dir():
        raise BadInput(f"--json {json_file}: there is no directory {json_file.parent}")
    load = check_load(RestartLoad(rate, restart_at, during, after))
    vary = Variation(scripts, modes, restarts, processes, threads, _PRELOAD[preload])
    declared = declared_runtimes(runtimes)
    cells = [
        cell
        for path in scenario_files(scenarios)
        for cell in cells_of(load_scenario(path), path, sites, vary, runtime=runtime)
    ]
    hosts = choose_for(backend, declared, say)
    for _, case in cells:
        spec_named(case.runtime, declared)
    command = "harness " + " ".join(sys.argv[1:])
    with hosts:
        for _, case in cells:
            with contextlib.suppress(MissingRuntime):  # told where its cell is
                hosts.prepare(case)
        run = BenchRun(cells, load, hosts, results, cycles=cycles, seed=seed, workers=workers, command=command)
        console = open_console()
        done = run.go(say)
    print_bench(console, done)
    keep_page(run.directory, done, lambda text: print_plain(console, text))
    if json_file is not None:
        json_file.write_bytes(encode_bench(done))
    if done.status != "complete":
        click.echo("harness: interrupted; what was measured is kept, and nothing is left running", err=True)
    measured = any(cell.cycles for cell in done.cells)
    click.get_current_context().exit(0 if done.status == "complete" and measured and rate_was_kept(done) else 3)
