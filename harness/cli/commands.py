"""The `harness` command: one module for each group of subcommands, which call the other rooms."""

from __future__ import annotations

import json

import click

from harness import __version__
from harness.cli.bench import bench
from harness.cli.gate import baseline, gate
from harness.cli.guard import GuardedGroup
from harness.cli.machine import doctor
from harness.cli.parity import parity
from harness.cli.resume import resume
from harness.cli.search import explore, replay
from harness.cli.stored import compare_runs, report, runs
from harness.cli.trials import check, corpus, run
from harness.hosting.leftovers import sweep
from harness.report.console import say
from harness.result import schema


@click.group(cls=GuardedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="harness")
def main() -> None:
    """Cold-restart stress tests for Django on Apache/mod_wsgi.

    Exit codes: 0 as expected; 1 not as expected; 2 bad input; 3 inconclusive, interrupted or an infrastructure failure.
    """
    if swept := sweep():
        say(f"harness: {swept}")


@main.command("schema")
def print_schema() -> None:
    """Print the JSON schema of result.json."""
    click.echo(json.dumps(schema(), indent=2))


for command in (
    run,
    check,
    corpus,
    explore,
    resume,
    replay,
    bench,
    baseline,
    gate,
    report,
    runs,
    compare_runs,
    parity,
    doctor,
):
    main.add_command(command)
