"""TODO."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click


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
