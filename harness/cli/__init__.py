"""The `harness` command: thin doors to what the other rooms do."""

from __future__ import annotations

import json
import signal
from typing import Any

import click

from harness import __version__
from harness.cli.bench import bench
from harness.cli.gate import baseline, gate
from harness.cli.machine import print_doctor
from harness.cli.parity import parity
from harness.cli.search import explore, replay
from harness.cli.stored import compare_runs, report, runs
from harness.cli.trials import check, corpus, run
from harness.errors import HarnessError
from harness.report.console import open_console
from harness.result import schema


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


@main.command()
def doctor() -> None:
    """What this machine has, what is missing, and how to get it."""
    click.get_current_context().exit(print_doctor(open_console()))


@main.command("schema")
def print_schema() -> None:
    """The JSON schema of result.json."""
    click.echo(json.dumps(schema(), indent=2))


for command in (run, check, corpus, explore, replay, bench, baseline, gate, report, runs, compare_runs, parity):
    main.add_command(command)
