"""`harness parity`: a thin door."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import click

from harness.cases.scenario import load_scenario
from harness.cases.script import pairs
from harness.errors import BadInput, HarnessError
from harness.hosting.preparing import ServerRuntime, prepare, prepare_for_python
from harness.parity.places import Places, find_places
from harness.parity.report import encode, print_comparison
from harness.parity.rows import ROWS
from harness.parity.run import compare_site
from harness.records import Mode
from harness.report.console import open_console, say
from harness.runtimes.spec import declared_runtimes, spec_named

Report = Callable[[str], None]


@click.command("parity")
@click.argument("site")
@click.option("--script", help="its name or path (default: scripts/default.wsgi, or the only one there is)")
@click.option("--mode", type=click.Choice(["daemon", "embedded"]), default="daemon", show_default=True)
@click.option("--runtime", help="a declared runtime (default: that of scenarios/SITE.toml)")
@click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own")
@click.option("--python", type=click.Path(path_type=Path), help="interpreter or environment with the site's Django")
@click.option("--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True)
@click.option("--path", default="/", show_default=True, help="the page that both are asked for")
@click.option("--host", help="the Host header to send")
@click.option("--env", "variables", multiple=True, help="NAME=VALUE in the environment of both; repeatable")
@click.option(
    "--accept", "accepted", multiple=True, metavar="KEY", help=f"a row that may differ ({', '.join(ROWS)}); repeatable"
)
@click.option(
    "--timeout", type=click.FloatRange(0.1, 600), default=30.0, show_default=True, help="seconds of a request"
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="- for standard output")
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
    to_stdout = json_file is not None and str(json_file) == "-"
    if json_file is not None and not to_stdout and not json_file.parent.is_dir():
        raise BadInput(f"--json {json_file}: there is no directory {json_file.parent}")
    places = find_places(site, sites, script)

    comparison = compare_site(
        places,
        choose_runtime(places, runtime, runtimes, python, say),
        mode=mode,
        path=path,
        headers={"Host": host} if host else {},
        environment=pairs(variables, "=", "--env", "NAME=VALUE"),
        accepted=accepted,
        timeout=timeout,
        report=say,
    )
    print_comparison(open_console(stderr=to_stdout), comparison)
    if to_stdout:
        sys.stdout.buffer.write(encode(comparison))
    elif json_file is not None:
        try:
            json_file.write_bytes(encode(comparison))
        except OSError as error:
            raise BadInput(f"--json {json_file}: cannot be written: {error.strerror}") from error
    context.exit(0 if comparison.same else 1)


def choose_runtime(
    places: Places, name: str | None, file: Path | None, python: Path | None, say: Report = lambda _: None
) -> ServerRuntime:
    """The runtime that was asked for; else that of the site's own scenario file; else the interpreter that runs this.

    Raises:
        BadInput, InfrastructureError: as for a run.
    """
    if name and python:
        raise BadInput("--runtime and --python both name an interpreter: give one of them")
    if python is None and name is None:
        name = _runtime_of_scenario(places)
    if name is None:
        return prepare_for_python(python or Path(sys.executable), say)
    declared = declared_runtimes(file)
    return prepare(name, spec_named(name, declared), say)


def _runtime_of_scenario(places: Places) -> str | None:
    file = Path("scenarios") / f"{places.root.name.replace('_', '-')}.toml"
    if places.root.parent.resolve() != Path("sites").resolve() or not file.is_file():
        return None
    try:
        return load_scenario(file).runtime
    except HarnessError:
        return None
