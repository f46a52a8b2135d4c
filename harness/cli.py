"""The `harness` command: a thin door to the session, the report and the doctor."""

from __future__ import annotations

import contextlib
import itertools
import json
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from harness import __version__
from harness import replay as replaying
from harness.adhoc import DEFAULT_TRIALS, pairs, parse_modes, script_case
from harness.backend import Backend, Choice, LocalBackend, choose_for
from harness.cli_bench import bench
from harness.cli_gate import baseline, gate
from harness.cli_stored import compare_runs, keep_page, report, runs
from harness.corpus import corpus_files, print_corpus, rows_of
from harness.doctor import print_doctor
from harness.errors import BadInput, HarnessError, MissingRuntime
from harness.parity.command import parity
from harness.records import Mode, Order, RestartMethod
from harness.report.advice import print_advice
from harness.report.console import ProgressWatcher, open_console, print_plain, print_result, say
from harness.report.result import Result, encode, exit_code, schema
from harness.runtime import Runtimes, declared_runtimes, prepare_for_python, spec_named
from harness.scenario import Case, expand, listing, load_scenario, nearest, scenario_files
from harness.session import Session, Silent, stored_run


class _Group(click.Group):
    """Turns the project's errors into one sentence and their exit code."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except HarnessError as error:
            click.echo(f"harness: {error}", err=True)
            context.exit(error.exit_code)
        except KeyboardInterrupt:
            click.echo("harness: interrupted; nothing is left running", err=True)
            context.exit(3)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Cold-restart stress tests for Django on Apache/mod_wsgi.

    Exit codes: 0 as expected; 1 not; 2 bad input; 3 inconclusive, interrupted, or the infrastructure failed.
    """
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.option("--trials", type=click.IntRange(1), help="cold starts of each case"),
        click.option("--seed", type=click.IntRange(0), help="seed that the run writes down"),
        click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True),
        click.option(
            "--json",
            "json_file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="write result.json here too (- for standard output)",
        ),
        click.option(
            "--fail-on", type=click.Choice(["hazard"]), help="let a hazard fail too, where nothing is declared"
        ),
        click.option("--flights", type=click.IntRange(1, 64), help="trials at a time (default: one a core)"),
    ]
    for option in reversed(options):
        command = option(command)
    return command


@main.command()
@click.argument("scenarios", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True, help="directory of the sites"
)
@click.option("--runtime", help="run every scenario on this runtime")
@click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own")
@click.option(
    "--backend",
    type=click.Choice(["local", "compose", "auto"]),
    default="auto",
    show_default=True,
    help="private httpds, the Compose stack of this directory, or the stack if it is running",
)
@click.option("--full", is_flag=True, help="make every trial of an expected race too, for its rate")
@click.option("--case", "case_pattern", help="only cases whose id contains this")
@_shared_options
def run(
    scenarios: tuple[Path, ...],
    sites: Path,
    runtime: str | None,
    runtimes: Path | None,
    backend: Choice,
    full: bool,
    case_pattern: str | None,
    trials: int | None,
    seed: int | None,
    **options: Any,
) -> None:
    """Run SCENARIO files (all of scenarios/ when none is given)."""
    declared = declared_runtimes(runtimes)
    cases: list[Case] = []
    for path in scenario_files(scenarios):
        scenario = load_scenario(path)
        expanded = expand(scenario, path, sites, trials=trials, seed=seed, runtime=runtime, full=full)
        for case in expanded:
            spec_named(case.runtime, declared)
        cases += expanded
    if case_pattern is not None:
        chosen = [case for case in cases if case_pattern in case.id]
        if not chosen:
            raise BadInput(
                f"--case {case_pattern!r} matches none of the cases{nearest(case_pattern, [c.id for c in cases])}"
            )
        cases = chosen
    hosts = choose_for(backend, declared, say)
    result = _run(cases, hosts, **options)
    click.get_current_context().exit(exit_code(result.cases, result.status))


@main.command()
@click.option("--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True)
@click.option("--scenarios", type=click.Path(path_type=Path), default=Path("scenarios"), show_default=True)
@click.option("--row", "wanted", multiple=True, help="only this row; repeatable")
@click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True)
@_shared_options
def corpus(
    sites: Path,
    scenarios: Path,
    wanted: tuple[str, ...],
    backend: Choice,
    trials: int | None,
    seed: int | None,
    **options: Any,
) -> None:
    """Run the corpus of known races: what is found, how soon, and what is called a race and is none."""
    declared = declared_runtimes()
    files = corpus_files(scenarios)
    names = sorted({row.row for row in files.values()})
    for each in wanted:
        if each not in names:
            raise BadInput(f"--row {each!r} is not in the corpus{nearest(each, names)}{listing('rows', names)}")
    chosen = {path: row for path, row in files.items() if not wanted or row.row in wanted}
    cases = [case for path in chosen for case in expand(load_scenario(path), path, sites, trials=trials, seed=seed)]
    hosts = choose_for(backend, declared, say)
    result = _run(cases, hosts, told=False, **options)
    print_corpus(open_console(), rows_of(result.cases, {path.stem: row for path, row in chosen.items()}))
    click.get_current_context().exit(exit_code(result.cases, result.status))


@main.command()
@click.argument("script", type=click.Path(path_type=Path))
@click.option(
    "--python",
    "python",
    type=click.Path(path_type=Path),
    help="interpreter or virtual environment that holds the site's Django (default: the one that runs harness)",
)
@click.option("--mode", type=click.Choice(["daemon", "embedded"]), multiple=True, help="default: both")
@click.option("--threads", type=click.IntRange(1, 100), default=15, show_default=True)
@click.option("--processes", type=click.IntRange(1, 16), default=1, show_default=True)
@click.option("--users", type=click.IntRange(1, 200), default=15, show_default=True, help="simultaneous first requests")
@click.option(
    "--path", "paths", multiple=True, default=["/"], show_default=True, help="'/', or 'POST /login/ BODY'; repeatable"
)
@click.option("--host", help="the Host header to send")
@click.option("--header", "headers", multiple=True, help="'Name: value', sent with each request; repeatable")
@click.option("--env", "variables", multiple=True, help="NAME=VALUE in the server's environment; repeatable")
@click.option("--application-group", default="%{GLOBAL}", show_default=True)
@click.option("--apache-conf", type=click.Path(path_type=Path), help="a fragment of configuration, included as it is")
@click.option(
    "--restart",
    type=click.Choice(["respawn", "restart", "graceful", "touch", "reload"]),
    default="respawn",
    show_default=True,
)
@click.option(
    "--timeout",
    type=click.FloatRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="seconds a control's answer may take",
)
@click.option("--black-box", is_flag=True, help="put nothing inside the server process")
@click.option("--fix-preview", is_flag=True, help="show the script with the advice in it, as a diff; writes nothing")
@_shared_options
def check(
    script: Path,
    python: Path | None,
    mode: tuple[Mode, ...],
    threads: int,
    processes: int,
    users: int,
    paths: tuple[str, ...],
    host: str | None,
    headers: tuple[str, ...],
    variables: tuple[str, ...],
    application_group: str,
    apache_conf: Path | None,
    restart: RestartMethod,
    timeout: float,
    black_box: bool,
    fix_preview: bool,
    trials: int | None,
    seed: int | None,
    **options: Any,
) -> None:
    """Stress the cold start of any WSGI SCRIPT of yours."""
    sent = pairs(headers, ":", "--header", "Name: value") | ({"Host": host} if host else {})
    cases = [
        script_case(
            script,
            mode=each,
            paths=paths,
            headers=sent,
            python=python,
            threads=threads,
            processes=processes,
            users=users,
            trials=trials or DEFAULT_TRIALS,
            restart=restart,
            environment=pairs(variables, "=", "--env", "NAME=VALUE"),
            application_group=application_group,
            apache_conf=apache_conf,
            timeout=timeout,
            seed=seed or 0,
            black_box=black_box,
        )
        for each in parse_modes(mode, restart)
    ]
    runtime = prepare_for_python(python or Path(sys.executable), say)
    result = _run(cases, LocalBackend(lambda _: runtime), **options)
    console = open_console(stderr=str(options["json_file"]) == "-")
    asked = [each.path for each in cases[0].requests if each.method == "GET"]
    print_advice(console, result.cases, script, asked, fix_preview=fix_preview)
    click.get_current_context().exit(exit_code(result.cases, result.status))


def _run(
    cases: Sequence[Case],
    backend: Backend,
    *,
    results: Path,
    json_file: Path | None,
    fail_on: str | None,
    flights: int | None,
    told: bool = True,
) -> Result:
    """Run cases and print what came of them; `told`: with the story of each."""
    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout and not json_file.parent.is_dir():
        raise BadInput(f"--json {json_file}: there is no directory {json_file.parent}")
    console = open_console(stderr=to_stdout)
    # Build what is missing before the clock of the progress bar starts.
    for case in cases:
        with contextlib.suppress(MissingRuntime):
            backend.prepare(case)
    with (
        Session(results, flights, users=max(case.users for case in cases)) as session,
        backend,
        ProgressWatcher(console, cases) as watcher,
    ):
        if backend.note:
            print_plain(console, f"backend {backend.name}: {backend.note}")
        result = session.run_all(cases, backend, watcher, fail_on_hazard=fail_on == "hazard")
    print_result(console, result, told=None if told else [])
    keep_page(session.directory, result, lambda text: print_plain(console, text))
    _write_json(json_file, result)
    if result.status != "complete":
        click.echo(f"harness: interrupted after {len(result.cases)} of {len(cases)} cases; what ran is kept", err=True)
    if not result.cases and result.skipped:
        raise MissingRuntime(result.skipped[0].reason)
    return result


def _write_json(file: Path | None, result: Result) -> None:
    if file is None:
        return
    if str(file) == "-":
        sys.stdout.buffer.write(encode(result))
        return
    try:
        file.write_bytes(encode(result))
    except OSError as error:
        raise BadInput(f"--json {file}: cannot be written: {error.strerror}") from error


@main.command()
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
            found = session.explore_one(case, known.get(case.runtime), watcher)
            rate = found.trials / found.duration_s if found.duration_s else 0.0
            say(f"{case.id}: {rate:.1f} trials/s in the snapshot lane")
            if confirm and found.verdict == "race":
                found = session.confirm(found, case, local)
                seen = "seen on Apache too" if found.standing == "confirmed" else "not seen on Apache"
                say(f"{case.id}: {found.race_class}: {found.standing}, {seen}")
        result_of_all = session.result("complete")
        session.write(result_of_all)
    print_result(console, result_of_all)
    keep_page(session.directory, result_of_all, lambda text: print_plain(console, text))
    click.get_current_context().exit(exit_code(result_of_all.cases))


@main.command()
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
    told = replaying.look_up(stored_run(run_name, results), int(number), case_pattern)
    declared = declared_runtimes(runtimes)
    hosts = choose_for(backend, declared, say)
    disturbed = f", threads disturbed: {told.strategy}, seed {told.seed}" if told.strategy else ""
    lane = "the snapshot lane's " if told.order else ""
    say(f"{lane}trial {number} of {told.case.id}: {told.race_class}{disturbed}")
    known = Runtimes(declared, say)
    with Session(results, users=told.case.users) as session, hosts:

        def attempt(case: Case, like: Order | None = None, how: str = "") -> replaying.Attempt:
            case = case.model_copy(update={"id": f"{told.case.id}::replay-{next(numbers)}"})
            if told.order is None:
                _, stopped = session.run_one(case, hosts, Silent())
                if stopped:
                    raise KeyboardInterrupt
            else:
                session.explore_one(case, known.get(case.runtime), Silent(), like or replaying.by_seed(told))
            done = replaying.attempted(case, session.history_path(case), told.race_class)
            kept = "" if done.followed is None else f", {done.followed:.1%} of its steps followed"
            say(f"{done} with {how or replaying.describe(case)}{kept}")
            return done

        # Only a replay on Apache has a host, and may find none.
        runs_on = known.get(told.case.runtime) if told.order else hosts.host(told.case, session.flights)
        replaying.check_runtime(told, runs_on.versions)
        numbers = itertools.count(1)
        case = replaying.again(told, trials)
        best = attempt(case)
        failed = best.failed
        for name, order in replaying.orders(told, best):
            failed += attempt(case, order, f"{name} enforced").failed
        if best.failed and minimise:
            best = replaying.minimise(best, attempt)
            click.echo(f"least that still fails: {replaying.describe(best.case)}: {best}")
        session.write(session.result("complete"))
    click.echo(f"kept in {session.directory}")
    click.get_current_context().exit(0 if failed else 3)


@main.command()
def doctor() -> None:
    """What this machine has, what is missing, and how to get it."""
    click.get_current_context().exit(print_doctor(open_console()))


@main.command("schema")
def print_schema() -> None:
    """The JSON schema of result.json."""
    click.echo(json.dumps(schema(), indent=2))


for command in (bench, baseline, gate, report, runs, compare_runs, parity):
    main.add_command(command)


if __name__ == "__main__":
    main()
