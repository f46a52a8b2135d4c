"""`harness parity`: the development server compared with the script."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cases.script import parse_pairs
from harness.cli import options
from harness.cli.output import check_json, console_beside, write_json
from harness.parity.places import find_places
from harness.parity.report import encode, print_comparison
from harness.parity.rows import ROWS
from harness.parity.run import choose_runtime, compare_site
from harness.records import Mode
from harness.report.console import say


@click.command("parity")
@click.argument("site")
@click.option("--script", help="its name or path (default: scripts/default.wsgi, or the only one there is)")
@click.option(
    "--mode", type=click.Choice(["daemon", "embedded"]), default="daemon", show_default=True, help="mod_wsgi's mode"
)
@click.option("--runtime", help="a declared runtime (default: that of scenarios/SITE.toml)")
@options.runtimes
@click.option("--python", type=options.PATH, help="interpreter or environment with the site's Django")
@options.sites
@click.option("--path", default="/", show_default=True, help="the page to request from both")
@click.option("--host", help="the Host header to send")
@click.option("--env", "variables", multiple=True, help="NAME=VALUE in the environment of both; repeatable")
@click.option(
    "--accept", "accepted", multiple=True, metavar="KEY", help=f"a row that may differ ({', '.join(ROWS)}); repeatable"
)
@click.option(
    "--timeout",
    type=options.FiniteRange(0.1, 600),
    default=30.0,
    show_default=True,
    help="seconds to wait for an answer",
)
@options.json_file("the comparison")
@click.pass_context
def parity(
    context: click.Context,
    site: str,
    script: str | None,
    mode: Mode,
    runtime: str | None,
    runtimes: Path | None,
    python: Path | None,
    sites: Path,
    path: str,
    host: str | None,
    variables: tuple[str, ...],
    accepted: tuple[str, ...],
    timeout: float,
    json_file: Path | None,
) -> None:
    """Compare how SITE is set up by the development server and by its script under Apache/mod_wsgi.

    SITE is a directory that holds manage.py, or the name of one in sites/. Exit codes: 0 the same, apart from what
    --accept names; 1 it differs; 2 bad input; 3 the infrastructure failed.
    """
    check_json(json_file)
    places = find_places(site, sites, script)
    comparison = compare_site(
        places,
        choose_runtime(places, runtime, runtimes, python, say),
        mode=mode,
        path=path,
        headers={"Host": host} if host else {},
        environment=parse_pairs(variables, "=", "--env", "NAME=VALUE"),
        accepted=accepted,
        timeout=timeout,
        report=say,
    )
    print_comparison(console_beside(json_file), comparison)
    write_json(json_file, encode(comparison))
    context.exit(0 if comparison.same else 1)
