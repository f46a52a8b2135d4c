"""TODO."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cases.expand import expand, scenario_files
from harness.cases.scenario import load_scenario
from harness.cli.stored import keep_page
from harness.errors import BadInput
from harness.hosting.backend import Choice, LocalBackend, choose_for
from harness.hosting.preparing import Runtimes
from harness.report.console import ProgressWatcher, open_console, print_plain, print_result, say
from harness.result import exit_code
from harness.run.session import Session
from harness.runtimes.spec import declared_runtimes
from harness.search.explorer import confirm as confirm_candidate
from harness.search.explorer import explore_one
from harness.search.replay import Replayer, describe_size, look_up
from harness.store.runs import stored_run


@click.command()
@click.argument("scenarios", nargs=-1, type=click.Path(path_type=Path), required=True)
@click.option("--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True)
@click.option("--runtime", help="run every scenario on this runtime")
@click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own")
@click.option("--case", "case_pattern", default="", help="only cases whose id contains this")
@click.option("--trials", type=click.IntRange(1), help="forked processes of each case")
@click.option("--full", is_flag=True, help="make every trial of an expected race too")
@click.option("--confirm", is_flag=True, help="run each case with a finding on real Apache too")
@click.option("--flights", type=click.IntRange(1, 64), help="trials at a time (default: one a core)")
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
def explore(
    scenarios: tuple[Path, ...],
    sites: Path,
    runtime: str | None,
    runtimes: Path | None,
    case_pattern: str,
    trials: int | None,
    full: bool,
    confirm: bool,
    flights: int | None,
    results: Path,
) -> None:
    """Search SCENARIOs in forked copies of one process: faster than Apache, and only Apache's word counts."""
    declared = declared_runtimes(runtimes)
    known = Runtimes(declared, say)
    files = scenario_files(scenarios)
    cases = [
        case
        for path in files
        for case in expand(load_scenario(path), path, sites, trials=trials, runtime=runtime, full=full)
        if case_pattern in case.id and case.mode == "daemon"
    ]
    if not cases:
        raise BadInput("no case in daemon mode is left: the snapshot lane knows nothing of embedded mode")
    console = open_console()
    with (
        Session(results, flights, users=max(case.users for case in cases)) as session,
        ProgressWatcher(console, cases) as watcher,
    ):
        session.announce(cases)
        local = LocalBackend(lambda case: known.get(case.runtime))
        for case in cases:
            found = explore_one(session, case, known.get(case.runtime), watcher)
            rate = found.trials / found.duration_s if found.duration_s else 0.0
            say(f"{case.id}: {rate:.1f} trials/s in the snapshot lane")
            if confirm and found.verdict == "race":
                found = confirm_candidate(session, found, case, local)
                seen = "seen on Apache too" if found.standing == "confirmed" else "not seen on Apache"
                say(f"{case.id}: {found.race_class}: {found.standing}, {seen}")
        result_of_all = session.result("complete")
        session.write(result_of_all)
    print_result(console, result_of_all)
    keep_page(session.directory, result_of_all, lambda text: print_plain(console, text))
    click.get_current_context().exit(exit_code(result_of_all.cases))


@click.command()
@click.argument("what", metavar="RUN#TRIAL")
@click.option("--case", "case_pattern", default="", help="which case is meant, where several have such a trial")
@click.option("--trials", type=click.IntRange(1), default=20, show_default=True, help="of each attempt")
@click.option("--minimise/--no-minimise", default=True, show_default=True, help="look for the least that still fails")
@click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own")
@click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True)
@click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
def replay(
    what: str,
    case_pattern: str,
    trials: int,
    minimise: bool,
    runtimes: Path | None,
    backend: Choice,
    results: Path,
) -> None:
    """Do a bad trial again, by its seed, and say how often it fails."""
    run_name, found, number = what.rpartition("#")
    if not found or not number.isdigit():
        raise BadInput(f"{what!r}: expected RUN#TRIAL, for example 20261123-101500-ab12#7")
    target = look_up(stored_run(run_name, results), int(number), case_pattern)
    declared = declared_runtimes(runtimes)
    hosts = choose_for(backend, declared, say)
    disturbed = f", threads disturbed: {target.strategy}, seed {target.seed}" if target.strategy else ""
    lane = "the snapshot lane's " if target.order else ""
    say(f"{lane}trial {number} of {target.case.id}: {target.race_class}{disturbed}")
    known = Runtimes(declared, say)
    with Session(results, users=target.case.users) as session, hosts:
        replayer = Replayer(target, session, hosts, known.get, say)
        best, failed = replayer.run(trials, minimised=minimise)
        if best.failed and minimise:
            click.echo(f"least that still fails: {describe_size(best.case)}: {best}")
        session.write(session.result("complete"))
    click.echo(f"kept in {session.directory}")
    click.get_current_context().exit(0 if failed else 3)
