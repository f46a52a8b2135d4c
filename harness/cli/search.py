"""The commands of the snapshot lane: `explore`, and `replay` of what any lane found."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import click

from harness.cases.case import Case
from harness.cases.script import parse_pairs
from harness.cases.withheld import restored
from harness.cli import options
from harness.cli.output import keep_page
from harness.cli.trials import path_text
from harness.errors import BadInput, quoted
from harness.hosting.backend import Choice, LocalBackend, choose_for
from harness.hosting.preparing import Runtimes
from harness.report.console import ProgressWatcher, open_console, print_result, say
from harness.result import RunResult, exit_code
from harness.run.resume import check_same_runtimes
from harness.run.selection import select_cases
from harness.run.session import InterruptedRun, Session, Watcher
from harness.runtimes.spec import declared_runtimes
from harness.search.explorer import confirm as confirm_candidate
from harness.search.explorer import explore_one
from harness.search.replay import Replayer, describe_size, look_up
from harness.store.plan import Settings
from harness.store.runs import stored_run


@click.command()
@options.required_scenarios
@options.sites
@options.runtime
@options.runtimes
@options.case_pattern()
@options.trials("forked processes per case")
@options.full
@click.option("--confirm", is_flag=True, help="try to reproduce each race on Apache")
@options.parallel
@options.results
def explore(
    scenarios: tuple[Path, ...],
    sites: Path,
    runtime: str | None,
    runtimes: Path | None,
    case_pattern: str,
    trials: int | None,
    full: bool,
    confirm: bool,
    parallel: int | None,
    results: Path,
) -> None:
    """Search SCENARIOS for races in forked copies of one process.

    Much faster than Apache, but a race counts only once it shows on Apache too (--confirm).
    """
    declared = declared_runtimes(runtimes)
    known = Runtimes(declared, say)
    selected = select_cases(scenarios, sites, declared, pattern=case_pattern, trials=trials, runtime=runtime, full=full)
    cases = [case for case in selected if case.mode == "daemon"]
    if not cases:
        raise BadInput("no case in daemon mode is left: the snapshot lane supports no other mode")
    settings = Settings(command="explore", runtimes=path_text(runtimes), confirm=confirm)
    run = explore_and_print(cases, known, settings, parallel, results)
    click.get_current_context().exit(exit_code(run.cases, run.status))


def explore_and_print(
    cases: Sequence[Case],
    known: Runtimes,
    settings: Settings,
    parallel: int | None,
    results: Path,
    resumed: InterruptedRun | None = None,
) -> RunResult:
    """Explore cases, or what is left of them in a run that is resumed, and print their results. Raises HarnessError."""
    console = open_console()
    status: Literal["complete", "interrupted"] = "interrupted"
    with (
        Session(
            results, parallel, users=max(case.users for case in cases), settings=settings, resumed=resumed
        ) as session,
        ProgressWatcher(console, cases) as watcher,
    ):
        if resumed is not None:
            check_same_runtimes(resumed, cases, lambda case: known.get(case.runtime).versions)
        session.announce(cases, "snapshot")
        with session.kept():
            try:
                for case in cases:
                    _explore(session, case, known, watcher, confirm=settings.confirm)
                status = "complete"
            except KeyboardInterrupt:
                click.echo(f"harness: interrupted; `harness resume {session.run}` goes on", err=True)
        run = session.result(status)
        session.write(run)
    print_result(console, run)
    keep_page(console, session.directory, run)
    return run


def _explore(session: Session, case: Case, known: Runtimes, watcher: Watcher, *, confirm: bool) -> None:
    if session.take_over([case], "local", lane="snapshot"):
        result = explore_one(session, case, known.get(case.runtime), watcher)
        rate = result.trials / result.duration_s if result.duration_s else 0.0
        say(f"{case.id}: {rate:.1f} trials/s in the snapshot lane")
    else:
        result = session.result_of(case)
    if confirm and result.verdict == "race":
        result = confirm_candidate(session, result, case, LocalBackend(lambda case: known.get(case.runtime)))
        seen = "seen on Apache too" if result.standing == "confirmed" else "not seen on Apache"
        say(f"{case.id}: {result.race_class}: {result.standing}, {seen}")


@click.command()
@click.argument("trial", metavar="RUN#TRIAL")
@options.case_pattern("part of the id of the case, if several have such a trial")
@options.trials("trials per attempt", default=20)
@click.option(
    "--minimise/--no-minimise", default=True, show_default=True, help="look for the smallest case that still fails"
)
@options.headers
@options.variables
@options.runtimes
@options.backend
@options.results
def replay(
    trial: str,
    case_pattern: str,
    trials: int,
    minimise: bool,
    headers: tuple[str, ...],
    variables: tuple[str, ...],
    runtimes: Path | None,
    backend: Choice,
    results: Path,
) -> None:
    """Repeat a bad trial by its seed, and report how often it fails.

    Environment variables and headers that look like secrets are not stored: give them again (--env, --header).
    """
    run_name, separator, number = trial.rpartition("#")
    if not separator or not re.fullmatch("[0-9]{1,9}", number):
        raise BadInput(f"{quoted(trial)}: expected RUN#TRIAL, for example 20261123-101500-ab12#7")
    target = look_up(stored_run(run_name, results), int(number), case_pattern)
    environment = parse_pairs(variables, "=", "--env", "NAME=VALUE")
    sent = parse_pairs(headers, ":", "--header", "Name: value")
    target = dataclasses.replace(target, case=restored(target.case, environment, sent))
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
            click.echo(f"smallest case that still fails: {describe_size(best.case)}: {best}")
        session.write(session.result("complete"))
    click.echo(f"Results: {session.directory}")
    click.get_current_context().exit(0 if failed else 3)
