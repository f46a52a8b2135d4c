"""The options that commands share, each declared once: a command stacks those that it has."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from harness.cases.scenario import MAX_SEED, MAX_TRIALS

Command = Callable[..., Any]
Option = Callable[[Command], Command]


class FiniteRange(click.FloatRange):
    """A number in a range; unlike click's own, `nan` is not in any."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is no number in the range {self._describe_range()}.", param, ctx)
        return number


PATH = click.Path(path_type=Path)
FILE = click.Path(path_type=Path, dir_okay=False)

scenarios = click.argument("scenarios", nargs=-1, type=PATH)
required_scenarios = click.argument("scenarios", nargs=-1, type=PATH, required=True)
sites = click.option("--sites", type=PATH, default=Path("sites"), show_default=True, help="directory of the sites")
runtime = click.option("--runtime", help="run every scenario on this runtime")
runtimes = click.option("--runtimes", type=PATH, help="a TOML file with runtimes of your own")
backend = click.option(
    "--backend",
    type=click.Choice(["local", "compose", "auto"]),
    default="auto",
    show_default=True,
    help="local: private httpds; compose: the Compose stack of this directory; auto: that stack if it runs, else local",
)
results = click.option(
    "--results", type=PATH, default=Path("results"), show_default=True, help="directory of the stored runs"
)
# 64: each trial at a time has an interpreter of its own, and more of them than that fill the memory of most machines.
parallel = click.option(
    "--parallel", "--flights", "parallel", type=click.IntRange(1, 64), help="trials at a time (default: one per core)"
)
variables = click.option("--env", "variables", multiple=True, help="NAME=VALUE in the server's environment; repeatable")
headers = click.option("--header", "headers", multiple=True, help="'Name: value', sent with each request; repeatable")
full = click.option("--full", is_flag=True, help="run all trials of an expected race too, to measure its rate")


def case_pattern(text: str = "only cases whose id contains this") -> Option:
    return click.option("--case", "case_pattern", default="", help=text)


def trials(text: str = "cold starts per case", default: int | None = None) -> Option:
    return click.option("--trials", type=click.IntRange(1, MAX_TRIALS), default=default, show_default=True, help=text)


def seed(text: str = "seed of the run (stored with it)", default: int | None = None) -> Option:
    return click.option("--seed", type=click.IntRange(0, MAX_SEED), default=default, show_default=True, help=text)


def json_file(what: str) -> Option:
    return click.option("--json", "json_file", type=FILE, help=f"write {what} here too (- for standard output)")


def stacked(*options: Option) -> Option:
    """Several options as one decorator, in the order in which the help shows them."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


of_a_run = stacked(
    trials(),
    seed(),
    results,
    json_file("result.json"),
    click.option("--fail-on", type=click.Choice(["hazard"]), help="treat a hazard as a failure"),
    parallel,
)
"""Of the commands that run cases and print their verdicts."""
