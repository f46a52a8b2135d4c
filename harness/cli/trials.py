"""TODO."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from harness.cases.case import Case
from harness.cases.expand import expand, scenario_files
from harness.cases.scenario import load_scenario
from harness.cases.script import DEFAULT_TRIALS, pairs, parse_modes, script_case
from harness.cli.options import _shared_options
from harness.cli.stored import keep_page
from harness.errors import BadInput, MissingRuntime, listing, nearest
from harness.hosting.backend import Backend, Choice, LocalBackend, choose_for
from harness.hosting.preparing import prepare_for_python
from harness.records import Mode, RestartMethod
from harness.report.advice import print_advice
from harness.report.console import ProgressWatcher, open_console, print_plain, print_result, say
from harness.report.corpus import corpus_files, print_corpus, rows_of
from harness.result import RunResult, encode, exit_code
from harness.run.session import Session
from harness.runtimes.spec import declared_runtimes, spec_named


@click.command()
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


@click.command()
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


@click.command()
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
) -> RunResult:
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


def _write_json(file: Path | None, result: RunResult) -> None:
    if file is None:
        return
    if str(file) == "-":
        sys.stdout.buffer.write(encode(result))
        return
    try:
        file.write_bytes(encode(result))
    except OSError as error:
        raise BadInput(f"--json {file}: cannot be written: {error.strerror}") from error
