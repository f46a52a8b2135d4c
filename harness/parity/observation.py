"""What was recorded of a site's processes; harness/inside/parity.py writes the events."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import msgspec

from harness.hosting import untrusted

Phase = Literal["start", "request"]
"""Before any request, or on a thread that was answering a request."""


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    pid: int
    thread: int
    phase: Phase


class InterpreterStart(_Event, frozen=True, tag="start"):
    """An interpreter was ready."""

    argv: list[str]
    cwd: str


class Execution(_Event, frozen=True, tag="module"):
    """A module of the site is about to be executed; the state of the process at that moment."""

    name: str
    file: str
    cwd: str
    path: list[str]
    settings: str | None
    """DJANGO_SETTINGS_MODULE."""
    modules: list[str]


class Call(_Event, frozen=True, tag="called"):
    """A step of the set-up was called: checks, commands, activate, registry."""

    what: str
    names: list[str] = []
    language: str = ""


class ServedRequest(_Event, frozen=True, tag="request"):
    """A request began."""

    path: str
    language: str | None
    """The one active on its thread, or None."""
    catalogues: list[str] | None = None


class ProcessSnapshot(_Event, frozen=True, tag="snapshot"):
    """The state of a process after its answer. None stands for what could not be determined."""

    cwd: str
    path: list[str]
    settings: str | None
    settings_file: str
    modules: dict[str, str]
    time_zone: str | None
    time_names: list[str]
    files: dict[str, str | None] = msgspec.field(name="found")
    """By name, the file that an import would execute; None if it cannot be imported."""
    apps: list[str] | None = None
    views: dict[str, str] | None = None
    """Views named by strings, with the error of resolving each; empty if it resolves."""
    django: str | None = None


Event = InterpreterStart | Execution | Call | ServedRequest | ProcessSnapshot
_decode = msgspec.json.Decoder(Event).decode


@dataclass(frozen=True)
class Observation:
    """A server that has answered one request."""

    events: tuple[Event, ...]
    status: int | None = None
    """Status of the answer."""

    @cached_property
    def snapshot(self) -> ProcessSnapshot:
        """That of the process that answered. Raises LookupError: none did."""
        for event in self.events:
            if isinstance(event, ProcessSnapshot):
                return event
        raise LookupError("no process has answered a request")

    @property
    def answered(self) -> bool:
        return any(isinstance(event, ProcessSnapshot) for event in self.events)

    @property
    def request(self) -> ServedRequest:
        """The first one of the process that answered."""
        pid = self.snapshot.pid
        return next(event for event in self.events if isinstance(event, ServedRequest) and event.pid == pid)

    @property
    def settings_loads(self) -> tuple[Execution, ...]:
        """Every execution of the settings module, under whichever name, in any process."""
        return tuple(execution for execution in self.executions if execution.file == self.snapshot.settings_file)

    @property
    def executions(self) -> tuple[Execution, ...]:
        return tuple(event for event in self.events if isinstance(event, Execution))

    @property
    def served(self) -> tuple[Execution, ...]:
        """The executions in the process that answered."""
        return tuple(execution for execution in self.executions if execution.pid == self.snapshot.pid)

    def calls(self, what: str) -> tuple[Call, ...]:
        """Such calls in the process that answered."""
        calls = (event for event in self.events if isinstance(event, Call))
        return tuple(call for call in calls if call.what == what and call.pid == self.snapshot.pid)


def read_events(directory: Path, owner: int | None = None) -> tuple[Event, ...]:
    """The events of all processes, those of each process in order; an unfinished last line is left out."""
    return tuple(_decode(line) for text in recordings(directory, owner) for line in text.split(b"\n")[:-1])


def recordings(directory: Path, owner: int | None = None) -> Iterator[bytes]:
    """What each process of the user `owner` (None: of anybody) has recorded. The site's code could have put anything
    there: see hosting/untrusted.py."""
    for path in sorted(directory.glob("*.jsonl"), key=lambda path: path.lstat().st_ino):
        text = untrusted.read(path, owner)
        if text is not None:
            yield text


def source(file: str | None) -> str | None:
    """The source file of a module: Python 2 names either that or its bytecode file."""
    return file.removesuffix("c") if file is not None and file.endswith(".pyc") else file


def names(executions: Sequence[Execution]) -> tuple[str, ...]:
    return tuple(execution.name for execution in executions)
