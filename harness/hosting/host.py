"""A host: several places where a cold interpreter waits, and how they are made cold again.

Apache replaces a dead process at its maintenance tick, once a second; killing one process and waiting for
the next reaches about one cold start a second. So several interpreters stand side by side, each a *slot*,
and some are replaced while others are used.

This is the seam: what is above it knows hosts and slots, and nothing of Apache. A backend says what the
processes of a slot are and how to signal them.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from harness.errors import InfrastructureError
from harness.records import Inside, LogLine, ProcessId, State, ThreadStack, Watched
from harness.scenario import Case

START_SECONDS = 30.0
POLL_SECONDS = 0.005
# One tick of replacement at up to ~6 cold starts a second on two cores, and one or two in reserve.
SLOTS_PER_CORE = 6
# Methods after which it is the next request that makes a process cold (or a script reloaded).
_AT_NEXT_REQUEST = ("touch", "reload")


@dataclass(eq=False)
class Slot:
    """A place where a cold interpreter is prepared, independent of the others."""

    name: str
    address: tuple[str, int]
    headers: dict[str, str]
    """What a request must carry to get there."""
    state: Literal["pending", "ready", "busy", "spent"] = "pending"
    since: float = field(default_factory=time.monotonic)
    used: set[ProcessId] = field(default_factory=set)
    """Processes that an earlier trial has used."""


class Host(abc.ABC):
    """Hosts one case. Use it as a context manager; `take` and `release` are thread-safe."""

    backend: Literal["local", "compose"]

    def __init__(self, case: Case, versions: Mapping[str, str]) -> None:
        self.case = case
        self.versions = dict(versions)
        """What the case runs on: python, django, mod_wsgi, httpd."""
        self._lock = threading.Lock()
        self._slots: list[Slot] = []

    # -- what a backend does -------------------------------------------------------------------------

    @abc.abstractmethod
    def __enter__(self) -> Self:
        """Start. Raises BadInput, InfrastructureError."""

    @abc.abstractmethod
    def __exit__(self, *_: object) -> None:
        """End everything that was started, and tidy up."""

    @abc.abstractmethod
    def abort(self) -> None:
        """End everything at once, whatever is under way."""

    @abc.abstractmethod
    def check_alive(self) -> None:
        """Raises InfrastructureError, with the last log lines, when a server has ended."""

    @abc.abstractmethod
    def recent_log(self) -> list[str]:
        """The last lines of the servers' logs."""

    @abc.abstractmethod
    def _processes(self) -> dict[str, list[ProcessId]]:
        """The live processes of each slot, by its name."""

    @abc.abstractmethod
    def _is_ready(self, slot: Slot, process: ProcessId) -> bool:
        """Has this new process come as far as to take requests?"""

    @abc.abstractmethod
    def _make_cold(self, slots: list[Slot]) -> None:
        """Apply the case's restart method to these slots."""

    @abc.abstractmethod
    def cpu_seconds(self, slot: Slot, process: ProcessId) -> float | None:
        """CPU time of a process so far, in seconds; None when it is gone."""

    @abc.abstractmethod
    def resident_mib(self, slot: Slot, process: ProcessId) -> float | None:
        """Resident memory of a process, in MiB; None when it is gone."""

    @abc.abstractmethod
    def read_inside(self, slot: Slot, processes: Iterable[ProcessId], since: float) -> tuple[Inside, ...]:
        """What the probe recorded in these processes: all of it, or, of one that has served before, what it
        recorded `since` then."""

    @abc.abstractmethod
    def read_stacks(self, slot: Slot, processes: Iterable[ProcessId]) -> tuple[ThreadStack, ...]:
        """What the threads of these processes are doing right now."""

    @abc.abstractmethod
    def read_states(self, slot: Slot, processes: Iterable[ProcessId]) -> tuple[State, ...]:
        """The state that these processes are in, told by themselves; nothing in black-box mode."""

    @abc.abstractmethod
    def take_log(self, slot: Slot, processes: Iterable[ProcessId]) -> tuple[LogLine, ...]:
        """The log lines of these processes since they were last asked for."""

    @abc.abstractmethod
    def forget(self, slot: Slot, processes: Iterable[ProcessId]) -> None:
        """Delete what was recorded of processes that will not be used again."""

    @property
    @abc.abstractmethod
    def restarts_alone(self) -> bool:
        """Can a slot be made cold without touching the others?"""

    # -- slots ---------------------------------------------------------------------------------------

    @property
    def processes_per_slot(self) -> int:
        hosting = self.case.hosting
        return hosting.daemon.processes if self.case.mode == "daemon" else hosting.embedded.children

    def take(self, timeout: float = START_SECONDS) -> Slot:
        """Wait for a cold interpreter and hand it out.

        Raises:
            InfrastructureError: a server ended, or a process did not come back in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                self.check_alive()
                self._refresh()
                ready = [slot for slot in self._slots if slot.state == "ready"]
                if ready:
                    slot = min(ready, key=lambda each: each.since)
                    slot.state = "busy"
                    return slot
                # A method that hits every slot at once waits until all of them have been used.
                if all(slot.state == "spent" for slot in self._slots):
                    self._renew(self._slots)
            if time.monotonic() > deadline:
                self._fail_to_start(timeout)
            time.sleep(POLL_SECONDS)

    def release(self, slot: Slot) -> None:
        """Give a used slot back, to be made cold again."""
        with self._lock:
            slot.used.update(self._processes().get(slot.name, ()))
            slot.state, slot.since = "spent", time.monotonic()
            if self.restarts_alone:
                self._renew([slot])

    @contextlib.contextmanager
    def cold(self) -> Iterator[Slot]:
        """A cold slot for the length of a block."""
        slot = self.take()
        try:
            yield slot
        finally:
            self.release(slot)

    def _renew(self, slots: list[Slot]) -> None:
        self._make_cold(slots)
        for slot in slots:
            slot.state = "ready" if self.case.restart in _AT_NEXT_REQUEST else "pending"
            slot.since = time.monotonic()

    def _refresh(self) -> None:
        pending = [slot for slot in self._slots if slot.state == "pending"]
        if not pending:
            return
        live = self._processes()
        for slot in pending:
            here = live.get(slot.name, [])
            fresh = [each for each in here if each not in slot.used]
            if len(fresh) >= self.processes_per_slot and all(self._is_ready(slot, each) for each in fresh):
                slot.used.intersection_update(here)
                slot.state, slot.since = "ready", time.monotonic()

    def _fail_to_start(self, timeout: float) -> None:
        states = ", ".join(f"{slot.name} {slot.state}" for slot in self._slots)
        raise InfrastructureError(
            f"no cold interpreter within {timeout:.0f} s (slots: {states}); the server's log ends:\n  "
            + "\n  ".join(self.recent_log()[-20:])
        )

    def watch(self, slot: Slot, before: Iterable[Watched] = ()) -> tuple[Watched, ...]:
        """The processes of a busy slot: those of `before`, marked where they are gone, and new ones."""
        with self._lock:
            live = self._processes().get(slot.name, [])
        known = {each.process: each for each in before}
        for process in live:
            known.setdefault(process, Watched(process=process, fresh=process not in slot.used))
        # An old process may go: a restart or a touched script asked it to. After a reload nobody did.
        may_go = self.case.restart != "reload"
        return tuple(
            Watched(
                process=each.process,
                fresh=each.fresh,
                gone=each.process not in live and (each.fresh or not may_go),
                idle=each.idle,
            )
            for each in known.values()
        )
