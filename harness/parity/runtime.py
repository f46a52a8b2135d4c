"""The runtime on which a site is compared."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from harness.cases.scenario import load_scenario
from harness.errors import BadInput, HarnessError
from harness.hosting.preparing import ServerRuntime, prepare, prepare_for_python
from harness.parity.places import Places
from harness.runtimes.spec import declared_runtimes, spec_named


def choose_runtime(
    places: Places,
    name: str | None,
    file: Path | None,
    python: Path | None,
    say: Callable[[str], None] = lambda _: None,
) -> ServerRuntime:
    """The runtime of that name, else the one of the site's own scenario file, else the interpreter that runs this.
    Raises BadInput, InfrastructureError: as for a run."""
    if name and python:
        raise BadInput("--runtime and --python both name an interpreter: give one of them")
    if python is None and name is None:
        name = _runtime_of_scenario(places)
    if name is None:
        return prepare_for_python(python or Path(sys.executable), say)
    return prepare(name, spec_named(name, declared_runtimes(file)), say)


def _runtime_of_scenario(places: Places) -> str | None:
    file = Path("scenarios") / f"{places.root.name.replace('_', '-')}.toml"
    if places.root.parent.resolve() != Path("sites").resolve() or not file.is_file():
        return None
    try:
        return load_scenario(file).runtime
    except HarnessError:
        return None
