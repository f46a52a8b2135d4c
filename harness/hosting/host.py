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
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Self

from harness.cases.case import Case
from harness.errors import InfrastructureError
from harness.records import (
    Inside,
    LogLine,
    ProcessId,
    Schedule,
    State,
    ThreadStack,
    WatchedProcess,
)

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
    schedule: Schedule
    """How the threads of its next process are scheduled."""
    state: Literal["pending", "ready", "busy", "spent"] = "pending"
    since: float = field(default_factory=time.monotonic)
    used: set[ProcessId] = field(default_factory=set)
    """Processes that an earlier trial has used."""


class Host(abc.ABC):
    """Hosts one case, or those that are alike but for their schedule. Use it as a context manager; `take` and
    `release` are thread-safe."""

    backend: Literal["local", "compose"]

    def __init__(self, case: Case, versions: Mapping[str, str], schedules: Sequence[Schedule] = ()) -> None:
        self.case = case
        self.versions = dict(versions)
        """What the case runs on: python, django, mod_wsgi, httpd."""
        self._schedules = list(schedules or [case.schedule])
        """Those that cold processes are still wanted of: the slots are dealt between them."""
        self._waiting: Counter[Schedule] = Counter()
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
    def _make_cold(self, slots: list[Slot], live: Mapping[str, list[ProcessId]]) -> None:
        """Apply the case's restart method to these slots, whose processes are `live`."""

    @abc.abstractmethod
    def _put_schedule(self, slot: Slot) -> None:
        """Let the slot's next process be of its schedule."""

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

    def take(self, schedule: Schedule | None = None, timeout: float = START_SECONDS) -> Slot:
        """Wait for a cold interpreter and hand it out; of the case's own schedule, if none is told.

        Raises:
            InfrastructureError: a server ended, or a process did not come back in time.
        """
        wanted = schedule or self.case.schedule
        deadline = time.monotonic() + timeout
        with self._waited_for(wanted):
            while True:
                with self._lock:
                    self.check_alive()
                    self._refresh()
                    ready = [slot for slot in self._slots if slot.state == "ready"]
                    fitting = [slot for slot in ready if slot.schedule == wanted]
                    if fitting:
                        slot = min(fitting, key=lambda each: each.since)
                        slot.state = "busy"
                        return slot
                    # A method that hits every slot at once waits until nobody can use any of them.
                    coming = any(slot.state in ("busy", "pending") for slot in self._slots)
                    if not coming and not any(self._waiting[slot.schedule] for slot in ready):
                        self._renew(self._slots)
                if time.monotonic() > deadline:
                    self._fail_to_start(timeout)
                time.sleep(POLL_SECONDS)

    @contextlib.contextmanager
    def _waited_for(self, schedule: Schedule) -> Iterator[None]:
        with self._lock:
            self._waiting[schedule] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[schedule] -= 1

    def release(self, slot: Slot) -> None:
        """Give a used slot back, to be made cold again."""
        with self._lock:
            slot.state, slot.since = "spent", time.monotonic()
            if self.restarts_alone:
                self._renew([slot])

    @contextlib.contextmanager
    def cold(self, schedule: Schedule | None = None) -> Iterator[Slot]:
        """A cold slot for the length of a block."""
        slot = self.take(schedule)
        try:
            yield slot
        finally:
            self.release(slot)

    def end_schedule(self, schedule: Schedule) -> None:
        """No more cold processes of this schedule are wanted: the others get its slots."""
        with self._lock:
            self._schedules.remove(schedule)
            if self._schedules and self.restarts_alone:
                self._renew([each for each in self._slots if each.schedule == schedule and each.state != "busy"])

    def _renew(self, slots: list[Slot]) -> None:
        live = self._processes()
        for slot in slots:
            slot.used.update(live.get(slot.name, ()))
            schedule = self._deal(slot)
            if slot.schedule != schedule:
                slot.schedule = schedule
                self._put_schedule(slot)
        self._make_cold(slots, live)
        for slot in slots:
            slot.state = "ready" if self.case.restart in _AT_NEXT_REQUEST else "pending"
            slot.since = time.monotonic()

    def _deal(self, slot: Slot | None = None) -> Schedule:
        """The schedule for the next process of a slot (none: of a new one): that which has the fewest other slots, or
        else is waited for."""
        others = Counter(each.schedule for each in self._slots if each is not slot and each.state != "spent")
        return min(self._schedules, key=lambda each: (others[each], -self._waiting[each]), default=self.case.schedule)

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

    def watch(self, slot: Slot, before: Iterable[WatchedProcess] = ()) -> tuple[WatchedProcess, ...]:
        """The processes of a busy slot: those of `before`, marked where they are gone, and new ones."""
        with self._lock:
            live = self._processes().get(slot.name, [])
        known = {each.process: each for each in before}
        for process in live:
            known.setdefault(process, WatchedProcess(process=process, fresh=process not in slot.used))
        # An old process may go: a restart or a touched script asked it to. After a reload nobody did.
        may_go = self.case.restart != "reload"
        return tuple(
            WatchedProcess(
                process=each.process,
                fresh=each.fresh,
                gone=each.process not in live and (each.fresh or not may_go),
                idle=each.idle,
            )
            for each in known.values()
        )
