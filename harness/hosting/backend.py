"""Where cases are hosted: private httpds on this machine, or the services of a Compose stack."""

from __future__ import annotations

import abc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, Self

from harness.cases.case import Case
from harness.errors import HarnessError, MissingRuntime
from harness.hosting import stack
from harness.hosting.compose import ComposeHost
from harness.hosting.host import Host
from harness.hosting.local import LocalHost
from harness.hosting.preparing import Runtimes, ServerRuntime
from harness.records import BackendName, Schedule
from harness.runtimes.compiling import check_syntax
from harness.runtimes.spec import RuntimeSpec, spec_named

Choice = Literal["local", "compose", "auto"]


class Backend(abc.ABC):
    """Makes hosts for cases. A context manager around whatever it starts for them."""

    name: BackendName
    note = ""
    """Which it is and why, for whoever did not choose."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abc.abstractmethod
    def prepare(self, case: Case) -> None:
        """Build what a case needs, before any clock runs. Raises MissingRuntime, InfrastructureError."""

    @abc.abstractmethod
    def host(self, case: Case, flights: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        """A host for a case, or for those that are alike but for these `schedules`; `slots` are as many as suit the
        machine where none are told.

        Raises:
            MissingRuntime: this backend has none such; says how to get it.
            BadInput, InfrastructureError: as the host's own.
        """


class LocalBackend(Backend):
    """Private httpds."""

    name = "local"

    def __init__(self, runtime_of: Callable[[Case], ServerRuntime], note: str = "") -> None:
        self._runtime_of = runtime_of
        self.note = note

    def prepare(self, case: Case) -> None:
        self._runtime(case)

    def _runtime(self, case: Case) -> ServerRuntime:
        if case.restart == "container":
            raise MissingRuntime("restart = 'container' needs the compose backend: docker compose up -d --wait")
        return self._runtime_of(case)

    def host(self, case: Case, flights: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        runtime = self._runtime(case)
        check_syntax(runtime, case.script_path)
        return LocalHost(case, runtime, slots, flights, schedules)


class ComposeBackend(Backend):
    """Services of a stack. It is started where it is not running, and then ended too."""

    name = "compose"

    def __init__(
        self, directory: Path, specs: dict[str, RuntimeSpec], report: Callable[[str], None] = lambda _: None
    ) -> None:
        self._directory = directory
        self._specs = specs
        self._report = report
        self._stack: stack.Stack | None = None
        self._started = False

    def __enter__(self) -> Self:
        try:
            self._find()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _find(self) -> stack.Stack:
        if self._stack is None:
            self._stack = stack.Stack.find(self._directory)
        if self._stack is None:
            stack.check_compose()
            stack.start(self._directory, self._report)
            self._started = True
            self._stack = stack.Stack.find(self._directory)
        assert self._stack is not None
        self.note = f"the {self._stack}"
        return self._stack

    def __exit__(self, *_: object) -> None:
        if self._started:
            stack.stop(self._directory)
            self._started = False

    def prepare(self, case: Case) -> None:
        pass  # a service is what it is

    def host(self, case: Case, flights: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        found = self._find()
        spec = spec_named(case.runtime, self._specs)
        services = found.services_for(case.mode, spec)
        if not services:
            how = f"; start one with `{spec.compose}`" if spec.compose else ""
            raise MissingRuntime(f"no service has {spec} (there is {found.describe()}){how}")
        return ComposeHost(case, services, found.versions(services[0]), slots, flights, schedules)


def choose_for(choice: Choice, declared: dict[str, RuntimeSpec], say: Callable[[str], None]) -> Backend:
    """As `choose`, for somebody in a checkout, who is told what is built and started meanwhile."""
    known = Runtimes(declared, say)
    return choose(choice, Path.cwd(), declared, lambda case: known.get(case.runtime), say)


def choose(
    choice: Choice,
    directory: Path,
    specs: dict[str, RuntimeSpec],
    runtime_of: Callable[[Case], ServerRuntime],
    report: Callable[[str], None] = lambda _: None,
) -> Backend:
    """The backend that was asked for; `auto` is the stack of `directory` where one is running, else local.

    A stack with a broken service counts as running: entering its backend tells.
    """
    if choice == "compose":
        return ComposeBackend(directory, specs, report)
    if choice == "local":
        return LocalBackend(runtime_of)
    without = "not covered: container restarts and what only containers have (the vintage runtimes)"
    try:
        running = stack.is_running(directory)
    except HarnessError as error:
        return LocalBackend(runtime_of, f"{error}; {without}")
    if running:
        return ComposeBackend(directory, specs, report)
    return LocalBackend(runtime_of, f"no stack of {directory} is running (docker compose up -d --wait); {without}")
