"""Declared runtimes: named combinations of interpreter, Django and server, built in or from a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pydantic
from packaging.requirements import InvalidRequirement, Requirement
from pydantic import Field

from harness.cases.scenario import Word
from harness.cases.toml import StrictModel, read_toml
from harness.errors import BadInput, listing, nearest, quoted, shortened
from harness.runtimes.interpreters import Interpreter

# The release of mod_wsgi that the reference tables were measured with.
SERVER_VERSION = "6.1.1"
Minor = Annotated[str, Field(pattern=r"^[0-9]{1,2}\.[0-9]{1,3}$")]
# More than were ever released, of Python 2 and 3 together.
MOST_PYTHONS = 40


def _check_requirement(text: str) -> str:
    try:
        Requirement(text)
    except InvalidRequirement as error:
        raise ValueError(f"django = {quoted(text)}: {shortened(str(error).splitlines()[0], 200)}") from None
    return text


class RuntimeSpec(StrictModel):
    """A combination as a runtimes file declares it; of several Pythons the first on this machine is used."""

    python: Minor | Annotated[list[Minor], Field(min_length=1, max_length=MOST_PYTHONS)]
    django: Annotated[str, Field(pattern=r"^[Dd]jango\b", max_length=200), pydantic.AfterValidator(_check_requirement)]
    server_version: str = Field(SERVER_VERSION, alias="mod_wsgi", pattern=r"^[0-9]{1,9}(\.[0-9]{1,9}){1,4}$")
    compose: str = Field("", max_length=1000, description="the command that starts services of this runtime")

    @property
    def pythons(self) -> list[str]:
        return self.python if isinstance(self.python, list) else [self.python]

    def describes(self, interpreter: Interpreter, server: str | None) -> bool:
        """Is this interpreter, with its packages and a server of that version, such a runtime?"""
        return (
            interpreter.minor in self.pythons
            and server == self.server_version
            and interpreter.django is not None
            and Requirement(self.django).specifier.contains(interpreter.django)
        )

    def __str__(self) -> str:
        return f"Python {' or '.join(self.pythons)}, {self.django}, mod_wsgi {self.server_version}"


class _RuntimesFile(StrictModel):
    runtimes: dict[Word, RuntimeSpec]


def declared_runtimes(extra: Path | None = None) -> dict[str, RuntimeSpec]:
    """The built-in runtimes and those of the user's file. Raises BadInput: the file has a mistake."""
    builtin = Path(__file__).with_name("runtimes.toml")
    specs = dict(read_toml(_RuntimesFile, builtin).runtimes)
    if extra is not None:
        specs |= read_toml(_RuntimesFile, extra).runtimes
    return specs


def spec_named(name: str, declared: dict[str, RuntimeSpec]) -> RuntimeSpec:
    """The runtime of that name. Raises BadInput: it is not declared."""
    if name not in declared:
        raise BadInput(
            f"runtime {quoted(name)} is not declared{nearest(name, declared)}{listing('declared', sorted(declared))}"
        )
    return declared[name]
