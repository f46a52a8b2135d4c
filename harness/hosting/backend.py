"""Backends: private httpds on this machine, or the services of a Compose stack."""

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
    """Makes hosts for cases; a context manager that ends whatever it has started for them."""

    name: BackendName
    note = ""
    """Why this backend was chosen; shown to the user."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    @abc.abstractmethod
    def prepare(self, case: Case) -> None:
        """Build what a case needs, before anything is timed. Raises MissingRuntime, InfrastructureError."""

    @abc.abstractmethod
    def host(self, case: Case, parallel: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        """A host for a case, or for cases that differ only in `schedules`. `slots`: by default as many as suit the
        machine. Raises MissingRuntime: this backend does not have the case's runtime; the message says how to get it;
        BadInput, InfrastructureError: the script has a syntax error; the stack cannot be used."""


class LocalBackend(Backend):
    """Private httpds on this machine."""

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

    def host(self, case: Case, parallel: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        runtime = self._runtime(case)
        check_syntax(runtime, case.script_path)
        return LocalHost(case, runtime, slots, parallel, schedules)


class ComposeBackend(Backend):
    """Services of a stack, which is started if it is not running, and then stopped at the end."""

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
            self._running_stack()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _running_stack(self) -> stack.Stack:
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
        pass  # the runtime of a service is part of its image

    def host(self, case: Case, parallel: int, slots: int | None = None, schedules: Sequence[Schedule] = ()) -> Host:
        running = self._running_stack()
        spec = spec_named(case.runtime, self._specs)
        services = running.services_for(case.mode, spec)
        if not services:
            hint = f"; start one with `{spec.compose}`" if spec.compose else ""
            raise MissingRuntime(f"no service runs {spec} (the services run {running.describe()}){hint}")
        return ComposeHost(case, services, running.versions(services[0]), slots, parallel, schedules)


def choose_for(choice: Choice, declared: dict[str, RuntimeSpec], say: Callable[[str], None]) -> Backend:
    """`choose` for the current directory and the declared runtimes; `say` receives what is built and started."""
    runtimes = Runtimes(declared, say)
    return choose(choice, Path.cwd(), declared, lambda case: runtimes.get(case.runtime), say)


def choose(
    choice: Choice,
    directory: Path,
    specs: dict[str, RuntimeSpec],
    runtime_of: Callable[[Case], ServerRuntime],
    report: Callable[[str], None] = lambda _: None,
) -> Backend:
    """The backend that was asked for; `auto` is the Compose stack of `directory` if one is running, else local.

    A stack with a broken service counts as running; entering its backend reports the service.
    """
    if choice == "compose":
        return ComposeBackend(directory, specs, report)
    if choice == "local":
        return LocalBackend(runtime_of)
    without = "not covered: container restarts, and runtimes that exist only in containers (vintage)"
    try:
        running = stack.is_running(directory)
    except HarnessError as error:
        return LocalBackend(runtime_of, f"{error}; {without}")
    if running:
        return ComposeBackend(directory, specs, report)
    return LocalBackend(
        runtime_of, f"no stack is running in {directory} (docker compose up -d --wait starts it); {without}"
    )
