"""The commands on runs that are stored: `report`, `runs`, `compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click
import msgspec

from harness.bench.journal import read_bench
from harness.bench.records import encode_bench
from harness.cases.scenario import MAX_TRIALS
from harness.cli import options
from harness.cli.output import console_beside, write, write_json
from harness.errors import BadInput, listing, nearest, quoted
from harness.gate.stored_runs import compare
from harness.report import bench_page, html, markdown, perfetto
from harness.report.console import open_console, print_bench, print_result
from harness.report.page import FILE, encode_page
from harness.report.runs import print_comparison, print_runs
from harness.report.witness import find_record
from harness.result import CaseResult, RunResult, encode, exit_code
from harness.store.history import file_name
from harness.store.regrade import regrade
from harness.store.runs import CASES, is_bench, stored_run, stored_runs
from harness.store.stored_case import StoredCase

Format = Literal["console", "html", "json", "markdown", "perfetto"]


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
@options.case_pattern()
@click.option(
    "--trial",
    type=click.IntRange(1, MAX_TRIALS),
    help="trial to show (default: the first bad one, or else the first one)",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="file to write, - for standard output (default for html and perfetto: a file in the run's directory)",
)
@options.results
@options.json_file("result.json")
def report(
    run_name: str,
    form: Format,
    case_pattern: str,
    trial: int | None,
    output: Path | None,
    results: Path,
    json_file: Path | None,
) -> None:
    """Regrade a stored RUN from its histories, and print or write the report.

    The exit code is that of the run: 0 as expected, 1 not, 3 inconclusive or interrupted. With a trace it is 0.
    """
    if trial is not None and form not in ("html", "perfetto"):
        raise BadInput("--trial: only a page or a trace shows a single trial (--format html or perfetto)")
    if output is not None and form == "console":
        raise BadInput("--output: the console format goes to standard output; choose a --format to write a file")
    directory = stored_run(run_name, results)
    if is_bench(directory):
        _report_bench(directory, form, output, json_file)
        return
    whole = regrade(directory)
    result = msgspec.structs.replace(whole, cases=_matching(whole, case_pattern)) if case_pattern else whole
    if form == "perfetto":
        _write_trace(directory, _only_case(result), trial, output)
        return
    match form:
        case "html":
            page = encode_page(html.render(directory, result, trial))
            _write(page, output or directory / _page_name(result, case_pattern, trial))
        case "json":
            _write(encode(result), output or Path("-"))
        case "markdown":
            _write(encode_page(markdown.render(result)), output or Path("-"))
        case _:
            print_result(console_beside(json_file), result)
    write_json(json_file, encode(result))
    click.get_current_context().exit(exit_code(result.cases, result.status, result.error))


def _report_bench(directory: Path, form: Format, output: Path | None, json_file: Path | None) -> None:
    """The same for a bench run, which has no verdicts: its exit code is 0, or 3 if it was interrupted."""
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
            print_bench(console_beside(json_file), bench)
    write_json(json_file, encode_bench(bench))
    click.get_current_context().exit(0 if bench.status == "complete" else 3)


def _page_name(result: RunResult, pattern: str, trial: int | None) -> str:
    """A page that shows part of a run must not replace the page of the whole run."""
    if trial is not None:
        return f"report.{_stem(_only_case(result))}.trial-{trial}.html"
    return f"report.{_stem(result.cases[0])}.html" if pattern else FILE


def _stem(case: CaseResult) -> str:
    return file_name(case.case).removesuffix(".jsonl")


def _matching(result: RunResult, pattern: str) -> list[CaseResult]:
    cases = [case for case in result.cases if pattern in case.case]
    if not cases:
        known = [case.case for case in result.cases]
        raise BadInput(
            f"--case {quoted(pattern)} matches none of the cases{nearest(pattern, known)}{listing('cases', known)}"
        )
    return cases


def _only_case(result: RunResult) -> CaseResult:
    if len(result.cases) == 1:
        return result.cases[0]
    if not result.cases:
        raise BadInput(f"run {result.run} has no case")
    known = [case.case for case in result.cases]
    raise BadInput(f"a trial belongs to one case: choose with --case{listing('cases', known)}")


def _write_trace(directory: Path, case: CaseResult, trial: int | None, output: Path | None) -> None:
    bad = next((finding.trial for finding in case.findings if finding.trial is not None), None)
    stored = StoredCase(directory / CASES / file_name(case.case))
    witness = find_record(stored, trial or bad)
    what = f"{type(witness.record).__name__.lower()}-{witness.record.number}"
    path = directory / f"{_stem(case)}.{what}.perfetto.json"
    _write(perfetto.encode_trace(stored.case, witness, directory.name), output or path)


def _write(content: bytes, path: Path) -> None:
    """Write a report, and print its path. Raises BadInput."""
    write(path, content)
    if str(path) != "-":
        click.echo(path)


@click.command()
@options.results
def runs(results: Path) -> None:
    """List the stored runs, the newest first."""
    stored = stored_runs(results)
    if not stored:
        raise BadInput(f"there is no stored run in {results}; `harness run` makes one (--results: another directory)")
    print_runs(open_console(), stored)


@click.command("compare")
@click.argument("before", metavar="A")
@click.argument("after", metavar="B")
@options.results
def compare_runs(before: str, after: str, results: Path) -> None:
    """Compare two stored runs case by case: verdicts, rates by an exact test, hazards that came or went.

    Exit codes: 0 the same or better, 1 worse, 2 bad input. Both runs are regraded by this version of the harness.
    """
    directories = stored_run(before, results), stored_run(after, results)
    for directory in directories:
        if is_bench(directory):
            raise BadInput(f"run {directory.name} is a bench run: `harness gate` compares what restarts cost")
    one, other = map(regrade, directories)
    changes = compare(one, other)
    if not any(change.before and change.after for change in changes):
        raise BadInput(f"runs {one.run} and {other.run} have no case in common")
    print_comparison(open_console(), changes, one.run, other.run)
    click.get_current_context().exit(1 if any(change.judgement == "worse" for change in changes) else 0)
