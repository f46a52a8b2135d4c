"""The commands that cold-start scripts and judge what they see: `run`, `check`, `corpus`."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from harness.cases.case import Case
from harness.cases.scenario import CorpusRow
from harness.cases.script import DEFAULT_TRIALS, parse_modes, parse_pairs, script_case
from harness.cli import options
from harness.cli.output import check_json, console_beside, keep_page, write_json
from harness.errors import BadInput, MissingRuntime, listing, nearest, quoted
from harness.hosting.backend import Backend, Choice, LocalBackend, choose_for
from harness.hosting.preparing import prepare_for_python
from harness.records import MAX_BODY, Mode, RestartMethod
from harness.report.advice import print_advice
from harness.report.console import ProgressWatcher, open_console, print_plain, print_result, say
from harness.report.corpus import corpus_files, print_corpus, rows_of
from harness.result import RunResult, encode, exit_code
from harness.run.resume import check_same_runtimes, versions_by
from harness.run.selection import select_cases
from harness.run.session import InterruptedRun, Session
from harness.runtimes.spec import declared_runtimes
from harness.store.plan import Settings


@click.command()
@options.scenarios
@options.sites
@options.runtime
@options.runtimes
@options.backend
@options.full
@options.case_pattern()
@options.of_a_run
def run(
    scenarios: tuple[Path, ...],
    sites: Path,
    runtime: str | None,
    runtimes: Path | None,
    backend: Choice,
    full: bool,
    case_pattern: str,
    trials: int | None,
    seed: int | None,
    **rest: Any,
) -> None:
    """Run SCENARIO files (all of scenarios/ when none is given)."""
    declared = declared_runtimes(runtimes)
    cases = select_cases(
        scenarios, sites, declared, pattern=case_pattern, trials=trials, seed=seed, runtime=runtime, full=full
    )
    settings = Settings(command="run", runtimes=path_text(runtimes))
    result = run_and_print(cases, choose_for(backend, declared, say), settings, **rest)
    click.get_current_context().exit(exit_code(result.cases, result.status))


@click.command()
@options.sites
@click.option(
    "--scenarios", type=options.PATH, default=Path("scenarios"), show_default=True, help="directory of the corpus"
)
@click.option("--row", "wanted", multiple=True, help="only this row; repeatable")
@options.backend
@options.of_a_run
def corpus(
    sites: Path,
    scenarios: Path,
    wanted: tuple[str, ...],
    backend: Choice,
    trials: int | None,
    seed: int | None,
    **rest: Any,
) -> None:
    """Run the corpus of known races: which are found, how soon, and how many false alarms there are."""
    declared = declared_runtimes()
    files = corpus_files(scenarios)
    names = sorted({row.row for row in files.values()})
    for name in wanted:
        if name not in names:
            raise BadInput(f"--row {quoted(name)} is not in the corpus{nearest(name, names)}{listing('rows', names)}")
    chosen = {path: row for path, row in files.items() if not wanted or row.row in wanted}
    cases = select_cases(list(chosen), sites, declared, trials=trials, seed=seed)
    settings = Settings(command="corpus", rows={path.stem: (row.row, row.release) for path, row in chosen.items()})
    result = run_and_print(cases, choose_for(backend, declared, say), settings, **rest)
    print_rows(result, settings)
    click.get_current_context().exit(exit_code(result.cases, result.status))


@click.command()
@click.argument("script", type=options.PATH)
@click.option(
    "--python",
    type=options.PATH,
    help="interpreter or virtual environment that holds the site's Django (default: the one that runs harness)",
)
@click.option("--mode", type=click.Choice(["daemon", "embedded"]), multiple=True, help="default: both")
@click.option("--threads", type=click.IntRange(1, 100), default=15, show_default=True, help="threads per process")
@click.option("--processes", type=click.IntRange(1, 16), default=1, show_default=True, help="server processes")
@click.option("--users", type=click.IntRange(1, 200), default=15, show_default=True, help="simultaneous first requests")
@click.option(
    "--path", "paths", multiple=True, default=["/"], show_default=True, help="'/', or 'POST /login/ BODY'; repeatable"
)
@click.option("--host", help="the Host header to send")
@options.headers
@options.variables
@click.option("--application-group", default="%{GLOBAL}", show_default=True, help="mod_wsgi's application group")
@click.option("--apache-conf", type=options.PATH, help="a file of Apache directives to include")
@click.option(
    "--restart",
    type=click.Choice(["respawn", "restart", "graceful", "touch", "reload"]),
    default="respawn",
    show_default=True,
    help="how each process is made cold",
)
@click.option(
    "--timeout",
    type=options.FiniteRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="seconds to wait for an answer to a single request",
)
@click.option(
    "--max-body",
    type=click.IntRange(1, 2**30),
    default=MAX_BODY,
    show_default=True,
    help="bytes of an answer's body; a longer one is cut, and its case inconclusive",
)
@click.option("--black-box", is_flag=True, help="put no probe inside the server process")
@click.option("--fix-preview", is_flag=True, help="show the advised changes to the script as a diff; writes nothing")
@options.of_a_run
def check(
    script: Path,
    python: Path | None,
    mode: tuple[Mode, ...],
    host: str | None,
    headers: tuple[str, ...],
    variables: tuple[str, ...],
    restart: RestartMethod,
    fix_preview: bool,
    trials: int | None,
    seed: int | None,
    results: Path,
    json_file: Path | None,
    fail_on: str | None,
    parallel: int | None,
    **options_of_case: Any,
) -> None:
    """Stress-test the cold start of any WSGI SCRIPT."""
    sent = parse_pairs(headers, ":", "--header", "Name: value") | ({"Host": host} if host else {})
    cases = [
        script_case(
            script,
            mode=chosen,
            headers=sent,
            python=python,
            trials=trials or DEFAULT_TRIALS,
            restart=restart,
            environment=parse_pairs(variables, "=", "--env", "NAME=VALUE"),
            seed=seed or 0,
            **options_of_case,
        )
        for chosen in parse_modes(mode, restart)
    ]
    runtime = prepare_for_python(python or Path(sys.executable), say)
    backend = LocalBackend(lambda _: runtime)
    settings = Settings(command="check", script=path_text(script), fix_preview=fix_preview)
    result = run_and_print(
        cases, backend, settings, results=results, json_file=json_file, fail_on=fail_on, parallel=parallel
    )
    print_remedies(result, cases, settings, json_file)
    click.get_current_context().exit(exit_code(result.cases, result.status))


def path_text(path: Path | None) -> str:
    """A path that means the same in any working directory."""
    return str(path.absolute()) if path else ""


def print_rows(result: RunResult, settings: Settings) -> None:
    """What `corpus` prints at the end."""
    row_of = {name: CorpusRow(row=row, release=release) for name, (row, release) in settings.rows.items()}
    print_corpus(open_console(), rows_of(result.cases, row_of))


def print_remedies(result: RunResult, cases: Sequence[Case], settings: Settings, json_file: Path | None) -> None:
    """What `check` prints at the end."""
    pages = [request.path for request in cases[0].requests if request.method == "GET"]
    script = Path(settings.script)
    try:
        print_advice(console_beside(json_file), result.cases, script, pages, fix_preview=settings.fix_preview)
    except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:  # the verdict stands
        say(f"no advice can be given: {type(error).__name__}: {error}")


def run_and_print(
    cases: Sequence[Case],
    backend: Backend,
    settings: Settings,
    *,
    results: Path,
    json_file: Path | None,
    fail_on: str | None,
    parallel: int | None,
    resumed: InterruptedRun | None = None,
) -> RunResult:
    """Run cases, or what is left of them in a run that is resumed, and print their results. Raises HarnessError."""
    check_json(json_file)
    settings = msgspec.structs.replace(settings, backend=backend.name, fail_on_hazard=fail_on == "hazard")
    console = console_beside(json_file)
    # Build what is missing before the clock of the progress bar starts.
    for case in cases:
        with contextlib.suppress(MissingRuntime):
            backend.prepare(case)
    with (
        Session(
            results, parallel, users=max(case.users for case in cases), settings=settings, resumed=resumed
        ) as session,
        backend,
        ProgressWatcher(console, cases) as watcher,
    ):
        if resumed is not None:
            check_same_runtimes(resumed, cases, versions_by(backend, session.parallel))
        if backend.note:
            print_plain(console, f"backend {backend.name}: {backend.note}")
        result = session.run_all(cases, backend, watcher, fail_on_hazard=settings.fail_on_hazard)
    print_result(console, result, cases=[] if settings.command == "corpus" else None)
    keep_page(console, session.directory, result)
    write_json(json_file, encode(result))
    if result.status != "complete":
        ran = sum(not case.stopped for case in result.cases)
        click.echo(
            f"harness: interrupted after {ran} of {len(cases)} cases; their results are kept, and "
            f"`harness resume {session.run}` goes on",
            err=True,
        )
    if not result.cases and result.skipped:
        raise MissingRuntime(result.skipped[0].reason)
    return result
