"""The commands on runs that are stored: `report`, `runs`, `compare`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import click
import jinja2
import msgspec
from rich.console import Console

from harness.bench.records import Bench, encode_bench, read_bench
from harness.bench.table import print_bench
from harness.errors import BadInput, HarnessError, listing, nearest
from harness.report import bench_page, html, markdown, perfetto
from harness.report.comparison import compare, print_comparison
from harness.report.console import open_console, print_result
from harness.report.page import FILE, encode_page
from harness.report.runs import print_runs
from harness.report.witness import find_record
from harness.result import CaseResult, RunResult, encode, exit_code
from harness.store.history import file_name
from harness.store.regrade import regrade
from harness.store.runs import BENCH_FILE, CASES, stored_run, stored_runs
from harness.store.stored_case import StoredCase

Format = Literal["console", "html", "json", "markdown", "perfetto"]
_results = click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True)


@click.command()
@click.argument("run_name", metavar="RUN")
@click.option(
    "--format",
    "form",
    type=click.Choice(["console", "html", "json", "markdown", "perfetto"]),
    default="console",
    show_default=True,
    help="perfetto: one trial as a trace for ui.perfetto.dev",
)
@click.option("--case", "pattern", help="only cases whose id contains this")
@click.option("--trial", type=click.IntRange(1), help="to be shown (default: one that was bad, or else the first)")
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="where it goes, - for standard output (default: html and perfetto into the run's directory)",
)
@_results
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="write result.json here too")
def report(
    run_name: str,
    form: Format,
    pattern: str | None,
    trial: int | None,
    output: Path | None,
    results: Path,
    json_file: Path | None,
) -> None:
    """Judge a stored RUN anew, from its histories alone, and print or write it.

    The exit code is that of the run: 0 as expected, 1 not, 3 inconclusive or interrupted. Of a trace it is 0.
    """
    if trial is not None and form not in ("html", "perfetto"):
        raise BadInput("--trial: only a page and a trace show a trial (--format html or perfetto)")
    if output is not None and form == "console":
        raise BadInput("--output: what is printed goes to standard output; choose a --format to write a file")
    directory = stored_run(run_name, results)
    if (directory / BENCH_FILE).is_file():
        _report_bench(directory, form, output, json_file)
        return
    whole = regrade(directory)
    result = whole if pattern is None else msgspec.structs.replace(whole, cases=_chosen(whole, pattern))
    if form == "perfetto":
        _write_trace(directory, _only_case(result), trial, output)
        return
    match form:
        case "html":
            _write(
                encode_page(html.render(directory, result, trial)),
                output or directory / _page_name(result, pattern, trial),
            )
        case "json":
            _write(encode(result), output or Path("-"))
        case "markdown":
            _write(encode_page(markdown.render(result)), output or Path("-"))
        case _:
            print_result(_console(json_file), result)
    if json_file is not None:
        _write(encode(result), json_file, silent=True)
    click.get_current_context().exit(exit_code(result.cases, result.status))


def _report_bench(directory: Path, form: Format, output: Path | None, json_file: Path | None) -> None:
    """A bench run judges nothing: its exit code is 0."""
    bench = read_bench(directory)
    match form:
        case "html":
            _write(encode_page(bench_page.render(bench)), output or directory / FILE)
        case "json":
            _write(encode_bench(bench), output or Path("-"))
        case "markdown":
            _write(encode_page(markdown.render_bench(bench)), output or Path("-"))
        case "perfetto":
            raise BadInput(f"run {directory.name} is a bench run: it has no trials, and so no trace")
        case _:
            print_bench(_console(json_file), bench)
    if json_file is not None:
        _write(encode_bench(bench), json_file, silent=True)


def _console(json_file: Path | None) -> Console:
    """Standard output, unless that is where the JSON goes."""
    return open_console(stderr=json_file is not None and str(json_file) == "-")


def _page_name(result: RunResult, pattern: str | None, trial: int | None) -> str:
    """A page of some of the run does not take the place of the run's."""
    if trial is not None:
        return f"report.{_stem(_only_case(result))}.trial-{trial}.html"
    return FILE if pattern is None else f"report.{_stem(result.cases[0])}.html"


def _stem(case: CaseResult) -> str:
    return file_name(case.case).removesuffix(".jsonl")


def _chosen(result: RunResult, pattern: str) -> list[CaseResult]:
    chosen = [case for case in result.cases if pattern in case.case]
    if not chosen:
        known = [case.case for case in result.cases]
        raise BadInput(
            f"--case {pattern!r} matches none of the cases{nearest(pattern, known)}{listing('cases', known)}"
        )
    return chosen


def _only_case(result: RunResult) -> CaseResult:
    if len(result.cases) == 1:
        return result.cases[0]
    if not result.cases:
        raise BadInput(f"run {result.run} has no case")
    known = [case.case for case in result.cases]
    raise BadInput(f"a trial is of one case: choose with --case{listing('cases', known)}")


def _write_trace(directory: Path, case: CaseResult, trial: int | None, output: Path | None) -> None:
    bad = next((each.trial for each in case.findings if each.trial is not None), None)
    stored = StoredCase(directory / CASES / file_name(case.case))
    witness = find_record(stored, trial or bad)
    what = f"{type(witness.record).__name__.lower()}-{witness.record.number}"
    path = directory / f"{_stem(case)}.{what}.perfetto.json"
    _write(perfetto.encode_trace(stored.case, witness, directory.name), output or path)


def _write(content: bytes, path: Path, *, silent: bool = False) -> None:
    """Raises BadInput."""
    if str(path) == "-":
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error
    if not silent:
        click.echo(path)


def keep_page(directory: Path, result: RunResult | Bench, say: Callable[[str], None]) -> None:
    """Write the page of a run that has just ended, and say where all is kept. It never fails the run."""
    try:
        if isinstance(result, Bench):
            page = bench_page.write_bench_html(directory, result)
        else:
            page = html.write_html(directory, result)
        say(f"kept in {directory}, to read: {page}")
    except (HarnessError, jinja2.TemplateError) as error:
        say(f"kept in {directory}; its page could not be made: {error}")


@click.command()
@_results
def runs(results: Path) -> None:
    """List the stored runs, the newest first."""
    found = stored_runs(results)
    if not found:
        raise BadInput(f"there is no stored run in {results}; `harness run` makes one (--results: another directory)")
    print_runs(open_console(), found)


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@_results
def compare_runs(before: str, after: str, results: Path) -> None:
    """Compare two stored runs case by case: verdicts, rates by an exact test, hazards that came or went.

    Exit codes: 0 the same or better, 1 worse, 2 bad input. Both are judged anew by this version of the harness.
    """
    directories = stored_run(before, results), stored_run(after, results)
    for each in directories:
        if (each / BENCH_FILE).is_file():
            raise BadInput(f"run {each.name} is a bench run: `harness gate` compares what restarts cost")
    one, other = map(regrade, directories)
    changes = compare(one, other)
    if not any(each.before and each.after for each in changes):
        raise BadInput(f"runs {one.run} and {other.run} have no case in common")
    print_comparison(open_console(), changes, one.run, other.run)
    click.get_current_context().exit(1 if any(each.judgement == "worse" for each in changes) else 0)
