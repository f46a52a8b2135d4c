"""`results/<run>/run.json`: what a run will do, written before it does it, so that it can be resumed."""

from __future__ import annotations

import datetime
import fcntl
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import msgspec
import pydantic

from harness.cases.case import Case
from harness.cases.reading import decode, read_bytes, shown
from harness.cases.site import changed_files, site_digest, source_digests
from harness.errors import BadInput, shortened
from harness.records import BackendName, Lane, Record
from harness.store.runs import PLAN_FILE, write_whole

PLAN_VERSION: Literal[2] = 2
"""Of the form of the file; one that was written by 0.2 has no version, and cannot be resumed."""
CommandName = Literal["run", "check", "corpus", "explore", "pytest", "other"]
# Those whose plan has everything that they need to go on.
RESUMABLE: tuple[CommandName, ...] = ("run", "check", "corpus", "explore")


class Settings(Record, frozen=True):
    """The options of the command that are not part of a case."""

    command: CommandName = "other"
    backend: BackendName = "local"
    runtimes: str = ""
    """A file with runtimes of the user's own."""
    parallel: int = 1
    fail_on_hazard: bool = False
    fix_preview: bool = False
    confirm: bool = False
    script: str = ""
    """As `check` was given it."""
    rows: dict[str, tuple[str, Literal["affected", "fixed"]]] = msgspec.field(default_factory=dict)
    """Of `corpus`: the row that each scenario shows, and on which release."""


class PlannedCase(Record, frozen=True):
    """A case, its seed and its trials, as the list of runs reads them, and the whole of it."""

    case: str
    seed: int
    trials: int
    backend: BackendName = "local"
    lane: Lane = "apache"
    fields: dict[str, Any] = msgspec.field(default_factory=dict)


class Resumption(Record, frozen=True):
    """A part of the run after the first."""

    begin: str
    environment: dict[str, Any]


class RunPlan(Record, frozen=True):
    """The whole file."""

    run: str
    environment: dict[str, Any]
    cases: tuple[PlannedCase, ...]
    version: int = PLAN_VERSION
    process: int = 0
    """Which process runs it, or ran it last."""
    settings: Settings = Settings()
    files: dict[str, str] = msgspec.field(default_factory=dict)
    """A digest of each source file of the sites, by its path."""
    resumed: tuple[Resumption, ...] = ()

    @classmethod
    def of_cases(
        cls, run: str, environment: dict[str, Any], cases: Sequence[Case], settings: Settings, lane: Lane = "apache"
    ) -> RunPlan:
        planned = [
            PlannedCase.of(case, case=case.id, backend=settings.backend, lane=lane, fields=case.to_json())
            for case in cases
        ]
        resumable = settings.command in RESUMABLE
        return cls(
            run=run,
            environment=environment,
            cases=tuple(planned),
            process=os.getpid(),
            settings=settings,
            files=source_digests(cases) if resumable else {},
        )

    def all_cases(self) -> list[Case]:
        """Raises BadInput: another version of the harness wrote them."""
        try:
            return [Case.from_json(planned.fields) for planned in self.cases]
        except (pydantic.ValidationError, msgspec.ValidationError) as error:
            raise BadInput(
                f"run {self.run}: its plan was written by another version of the harness: {error}"
            ) from error

    def resumed_now(self, environment: dict[str, Any]) -> RunPlan:
        """The plan with one more part."""
        now = Resumption(begin=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}", environment=environment)
        return msgspec.structs.replace(self, process=os.getpid(), resumed=(*self.resumed, now))

    def write(self, directory: Path) -> None:
        """Write it, whole or not at all. Raises BadInput."""
        content = msgspec.json.format(msgspec.json.encode(self), indent=2)
        write_whole(directory / PLAN_FILE, content, "the plan of the run")


def read_plan(directory: Path, version: str) -> RunPlan:
    """The plan of a run that this `version` of the harness can resume. Raises BadInput: it has none, or another version
    or another command made it."""
    name = directory.name
    path = directory / PLAN_FILE
    content = read_bytes(path)
    kind = decode(msgspec.json.Decoder(_Head), content, shown(path), "the plan of a run")
    if kind.version != PLAN_VERSION or kind.environment.get("harness") != version:
        made = shortened(str(kind.environment.get("harness", "another version")))
        raise BadInput(f"run {name} was begun by harness {made}, and this is {version}: start it anew")
    plan = decode(msgspec.json.Decoder(RunPlan), content, shown(path), "the plan of a run")
    if plan.settings.command not in RESUMABLE:
        by = "pytest" if plan.settings.command == "pytest" else "a command that cannot be resumed"
        raise BadInput(f"run {name} was made by {by}: start it anew")
    return plan


class _Head(msgspec.Struct):
    """What every version of the file has."""

    version: int = 1
    environment: dict[str, Any] = {}


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold a run's directory for as long as this process writes to it; the kernel lets go of it when the process ends.
    Raises BadInput: another process holds it."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput(f"{directory}: cannot be read: {error.strerror}") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BadInput(f"run {directory.name} is still under way: wait for its end, or interrupt it") from None
        except OSError:  # a file system without locks
            pass
        yield
    finally:
        os.close(descriptor)


def check_unchanged(run: str, files: Mapping[str, str], cases: Sequence[Case]) -> None:
    """Raises BadInput: a script or a site is no longer what the run was begun with; the message says which files."""
    for case in cases:
        if not case.script_path.is_file():
            raise BadInput(f"{case.script_path}: the script of run {run} no longer exists: start the run anew")
        if case.apache_conf and not Path(case.apache_conf).is_file():
            raise BadInput(f"{case.apache_conf}: the file that run {run} includes no longer exists")
    changed = changed_files(files, source_digests(cases))
    digests = {case.site_dir: case.digest for case in cases if case.digest}
    changed = changed or [str(site) for site, digest in digests.items() if site_digest(site) != digest]
    if changed:
        shown = ", ".join(changed[:_SHOWN]) + (f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else "")
        raise BadInput(f"changed since run {run} was begun: {shown}; its parts would not belong together")


def check_same(run: str, runtime: str, then: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raises BadInput: a part of what a runtime consists of has another version than when the run was begun."""
    changed = [f"{name} was {was} and is {now.get(name, 'gone')}" for name, was in then.items() if now.get(name) != was]
    if changed:
        raise BadInput(
            f"runtime {runtime} has changed since run {run} was begun: {', '.join(changed)}; its parts would not "
            "belong together"
        )


# Files named in a sentence.
_SHOWN = 4
