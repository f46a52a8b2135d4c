"""What was recorded of a site's processes: see harness/inside/parity.py for the events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

Phase = Literal["start", "request"]
"""Before any request, or on a thread that was answering one."""


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    pid: int
    thread: int
    phase: Phase


class InterpreterStart(_Event, frozen=True, tag="start"):
    """An interpreter was ready."""

    argv: list[str]
    cwd: str


class Execution(_Event, frozen=True, tag="module"):
    """A module of the site is about to be executed; what the process was like at that moment."""

    name: str
    file: str
    cwd: str
    path: list[str]
    settings: str | None
    """DJANGO_SETTINGS_MODULE."""
    modules: list[str]


class Call(_Event, frozen=True, tag="called"):
    """Something was done: checks, commands, activate, registry."""

    what: str
    names: list[str] = []
    language: str = ""


class ServedRequest(_Event, frozen=True, tag="request"):
    """A request began."""

    path: str
    language: str | None
    """Active on its thread; None: no language was."""
    catalogues: list[str] | None = None


class ProcessSnapshot(_Event, frozen=True, tag="snapshot"):
    """What a process was like once it had answered. None is what could not be told."""

    cwd: str
    path: list[str]
    settings: str | None
    settings_file: str
    modules: dict[str, str]
    time_zone: str | None
    time_names: list[str]
    found: dict[str, str | None]
    """By name, the file that an import of it would give; None where it cannot be imported."""
    apps: list[str] | None = None
    views: dict[str, str] | None = None
    """Views named by strings, and the error that one gives: empty where it can be had."""
    django: str | None = None


Event = InterpreterStart | Execution | Call | ServedRequest | ProcessSnapshot
_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True)
class Observation:
    """A server that has answered one request."""

    events: tuple[Event, ...]
    status: int | None = None
    """Of the answer."""

    @cached_property
    def snapshot(self) -> ProcessSnapshot:
        """Of the process that has answered. Raises LookupError: none has."""
        found = [each for each in self.events if isinstance(each, ProcessSnapshot)]
        if not found:
            raise LookupError("no process has answered a request")
        return found[0]

    @property
    def answered(self) -> bool:
        return any(isinstance(each, ProcessSnapshot) for each in self.events)

    @property
    def request(self) -> ServedRequest:
        return next(each for each in self.events if isinstance(each, ServedRequest) and each.pid == self.snapshot.pid)

    @property
    def settings_loads(self) -> tuple[Execution, ...]:
        """Every execution of the settings module, under whichever name, in any process."""
        return tuple(each for each in self.executions if each.file == self.snapshot.settings_file)

    @property
    def executions(self) -> tuple[Execution, ...]:
        return tuple(each for each in self.events if isinstance(each, Execution))

    @property
    def served(self) -> tuple[Execution, ...]:
        """The executions in the process that has answered."""
        return tuple(each for each in self.executions if each.pid == self.snapshot.pid)

    def calls(self, what: str) -> tuple[Call, ...]:
        """Such calls in the process that has answered."""
        return tuple(
            each
            for each in self.events
            if isinstance(each, Call) and each.what == what and each.pid == self.snapshot.pid
        )


def read_events(directory: Path) -> tuple[Event, ...]:
    """The events of all processes, each process's in order; a line still in the writing is left out."""
    found: list[Event] = []
    for path in sorted(directory.glob("*.jsonl"), key=lambda each: each.stat().st_ino):
        found += [_decode(line) for line in path.read_bytes().split(b"\n")[:-1]]
    return tuple(found)


def source(file: str | None) -> str | None:
    """The source of a module: Python 2 tells its bytecode's place, or its own, as it happens."""
    return file.removesuffix("c") if file is not None and file.endswith(".pyc") else file


def names(executions: Sequence[Execution]) -> tuple[str, ...]:
    return tuple(each.name for each in executions)
