"""`harness resume`: goes on with a run that was interrupted."""

from __future__ import annotations

from pathlib import Path

import click

from harness.bench.table import exit_code as exit_code_of_bench
from harness.cases.script import parse_pairs
from harness.cli import options
from harness.cli.bench import resume_bench
from harness.cli.search import explore_and_print
from harness.cli.trials import print_remedies, print_rows, run_and_print
from harness.hosting.backend import Backend, LocalBackend, choose_for
from harness.hosting.preparing import Runtimes, prepare_for_python
from harness.report.console import say
from harness.result import RunResult, exit_code
from harness.run.resume import cases_to_resume, interrupted_run
from harness.run.selection import check_runtimes
from harness.run.session import InterruptedRun
from harness.runtimes.spec import declared_runtimes
from harness.store.runs import is_bench, stored_run


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option(
    "--env", "variables", multiple=True, help="NAME=VALUE that the run was given and did not store; repeatable"
)
@click.option("--header", "headers", multiple=True, help="'Name: value' that it did not store; repeatable")
@options.results
@options.json_file("result.json")
def resume(
    run_name: str, variables: tuple[str, ...], headers: tuple[str, ...], results: Path, json_file: Path | None
) -> None:
    """Go on with an interrupted RUN of `run`, `check`, `corpus`, `explore` or `bench` where it stopped.

    What is complete is not run again; what is left has controls of its own. The exit code is that of the whole run.
    """
    directory = stored_run(run_name, results)
    environment = parse_pairs(variables, "=", "--env", "NAME=VALUE")
    sent = parse_pairs(headers, ":", "--header", "Name: value")
    if is_bench(directory):
        click.get_current_context().exit(exit_code_of_bench(resume_bench(directory, environment, sent, json_file)))
    result = _go_on(interrupted_run(directory), environment, sent, json_file)
    click.get_current_context().exit(exit_code(result.cases, result.status))


def _go_on(
    run: InterruptedRun, environment: dict[str, str], headers: dict[str, str], json_file: Path | None
) -> RunResult:
    cases = cases_to_resume(run, environment, headers)
    settings = run.plan.settings
    declared = declared_runtimes(Path(settings.runtimes) if settings.runtimes else None)
    results = run.directory.parent
    say(f"run {run.directory.name} goes on: it has {run.trials(cases)} of {sum(case.trials for case in cases)} trials")
    if settings.command == "explore":
        check_runtimes(cases, declared)
        return explore_and_print(cases, Runtimes(declared, say), settings, settings.parallel, results, run)
    if settings.command == "check":
        runtime = prepare_for_python(Path(cases[0].runtime), say)
        backend: Backend = LocalBackend(lambda _: runtime)
    else:
        check_runtimes(cases, declared)
        backend = choose_for(settings.backend, declared, say)
    result = run_and_print(
        cases,
        backend,
        settings,
        results=results,
        json_file=json_file,
        fail_on="hazard" if settings.fail_on_hazard else None,
        parallel=settings.parallel,
        resumed=run,
    )
    if settings.command == "corpus":
        print_rows(result, settings)
    elif settings.command == "check":
        print_remedies(result, cases, settings, json_file)
    return result
