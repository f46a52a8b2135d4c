"""Declared runtimes: named combinations of interpreter, Django and server, built in or from a file of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from packaging.requirements import Requirement
from pydantic import Field

from harness.cases.toml import StrictModel, parse_toml
from harness.errors import BadInput, nearest
from harness.runtimes.interpreters import Interpreter

# The release of mod_wsgi that the reference tables were measured with.
SERVER_VERSION = "6.1.1"
Minor = Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class RuntimeSpec(StrictModel):
    """A combination as a runtimes file declares it; of several Pythons the first on this machine is used."""

    python: Minor | list[Minor]
    django: str = Field(pattern=r"^[Dd]jango\b")
    server_version: str = Field(SERVER_VERSION, alias="mod_wsgi", pattern=r"^\d+(\.\d+)+$")
    compose: str = Field("", description="the command that starts services of this runtime")

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
    runtimes: dict[str, RuntimeSpec]


def declared_runtimes(extra: Path | None = None) -> dict[str, RuntimeSpec]:
    """The built-in runtimes and those of the user's file. Raises BadInput: the file has a mistake."""
    builtin = Path(__file__).with_name("runtimes.toml")
    specs = dict(parse_toml(_RuntimesFile, builtin.read_text(), str(builtin)).runtimes)
    if extra is not None:
        try:
            text = extra.read_text()
        except OSError as error:
            raise BadInput(f"{extra}: cannot be read: {error.strerror}") from error
        specs |= parse_toml(_RuntimesFile, text, str(extra)).runtimes
    return specs


def spec_named(name: str, declared: dict[str, RuntimeSpec]) -> RuntimeSpec:
    """The runtime of that name. Raises BadInput: it is not declared."""
    if name not in declared:
        raise BadInput(
            f"runtime {name!r} is not declared{nearest(name, declared)} (declared: {', '.join(sorted(declared))})"
        )
    return declared[name]
