"""A host: a pool of slots in which cold interpreters wait, and how they are made cold again.

Apache replaces a dead process at its maintenance tick, once a second, so killing one process and waiting for the next
yields about one cold start a second. Therefore several interpreters stand side by side, each in a *slot*, and some are
replaced while others are in use.

This is the seam: the code above it knows hosts and slots, not which server it is. A subclass says which processes a
slot has, how they are made cold, and what can be observed of them.
"""

from __future__ import annotations

import abc
import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Self

from harness.cases.case import Case
from harness.errors import InfrastructureError
from harness.hosting.interruption import Shield
from harness.hosting.slot import ColdSlot, Observer, Slot
from harness.records import LeftProcess, ProcessId, Schedule

# How long a cold process may take to appear: a replacement takes one or two seconds, a server's own start the longest.
START_SECONDS = 30.0
# How often the slots are looked at: a small part of a cold start, which takes 100 ms and more.
POLL_SECONDS = 0.005
# Apache looks after its processes once a second: a killed one is replaced 0 to 1 s later, depending on when it died.
REPLACEMENT_SECONDS = 1.0
# As many as are being replaced during one tick at up to ~6 cold starts a second on two cores, and as many in reserve.
SLOTS_PER_CORE = 6
# How much of all servers' logs an error quotes: a screen shows it together with the sentence.
ERROR_LINES = 20
# Methods after which the next request makes a process cold (or reloads the script).
_AT_NEXT_REQUEST = ("touch", "reload")


class Host(abc.ABC):
    """Hosts one case, or several that differ only in their schedule. A context manager; `take` and `release` are
    thread-safe."""

    backend: Literal["local", "compose"]

    def __init__(self, case: Case, versions: Mapping[str, str], schedules: Sequence[Schedule] = ()) -> None:
        self.case = case
        self.versions = dict(versions)
        """What the case runs on: the versions of python, django and of the parts of the server."""
        self._schedules = list(schedules or [case.schedule])
        """Schedules that still need cold processes; slots are shared among them."""
        self.restarts_alone = True
        """Can a slot be made cold without touching the others?"""
        self._waiting: Counter[Schedule] = Counter()
        """How many callers of `take` are waiting, by schedule."""
        self._lock = threading.Lock()
        self._slots: list[Slot] = []

    # -- what a subclass provides --------------------------------------------------------------------

    @abc.abstractmethod
    def _start(self) -> None:
        """Start the servers, and add their slots. Raises BadInput, InfrastructureError: a server does not start."""

    @abc.abstractmethod
    def abort(self) -> None:
        """End every server at once, whatever is under way."""

    @abc.abstractmethod
    def check_alive(self) -> None:
        """Raises InfrastructureError: a server has ended; the message has its last log lines."""

    @abc.abstractmethod
    def recent_log(self) -> list[str]:
        """The last lines of the servers' logs."""

    @abc.abstractmethod
    def _processes(self) -> dict[str, list[ProcessId]]:
        """The live processes of each slot, by its name."""

    @abc.abstractmethod
    def _make_cold(self, slots: Sequence[Slot], live: Mapping[str, list[ProcessId]]) -> None:
        """Apply the case's restart method to these slots, whose processes are `live`. The next processes of a slot
        follow its schedule."""

    @abc.abstractmethod
    def _observer(self, slot: Slot) -> Observer:
        """What observes the slot's processes."""

    def _tidy(self) -> None:  # noqa: B027 - most servers leave nothing
        """Remove what the servers have left, once they have ended."""

    def left(self) -> tuple[LeftProcess, ...]:
        """What the site's processes had left running when they ended, where that is known; once this host has ended."""
        return ()

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with Shield():
            self.abort()
            self._tidy()

    # -- slots ---------------------------------------------------------------------------------------

    def take(self, schedule: Schedule | None = None, timeout: float = START_SECONDS) -> ColdSlot:
        """Wait for a cold interpreter with this schedule (by default the case's own), and hand it out. Raises
        InfrastructureError: a server ended, or no process came back in time."""
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
                        slot = min(fitting, key=lambda slot: slot.since)
                        slot.state = "busy"
                        return self._in_use(slot)
                    # A method that hits every slot at once waits until no caller can use any of them.
                    coming = any(slot.state in ("busy", "pending") for slot in self._slots)
                    if not coming and not any(self._waiting[slot.schedule] for slot in ready):
                        self._renew(self._slots)
                if time.monotonic() > deadline:
                    raise self._timeout_error(timeout)
                time.sleep(POLL_SECONDS)

    def _in_use(self, slot: Slot) -> ColdSlot:
        return ColdSlot(slot, self.case, self._observer(slot), lambda: self._live(slot))

    def _live(self, slot: Slot) -> list[ProcessId]:
        with self._lock:
            return self._processes().get(slot.name, [])

    @contextlib.contextmanager
    def _waited_for(self, schedule: Schedule) -> Iterator[None]:
        with self._lock:
            self._waiting[schedule] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waiting[schedule] -= 1

    def release(self, cold: ColdSlot) -> None:
        """Give a used slot back, to be made cold again."""
        slot = cold.slot
        with self._lock:
            slot.state, slot.since = "spent", time.monotonic()
            if self.restarts_alone:
                self._renew([slot])

    @contextlib.contextmanager
    def cold(self, schedule: Schedule | None = None) -> Iterator[ColdSlot]:
        """A cold slot for the duration of a block. Raises InfrastructureError: as `take`."""
        slot = self.take(schedule)
        try:
            yield slot
        finally:
            self.release(slot)

    def end_schedule(self, schedule: Schedule) -> None:
        """No more cold processes of this schedule are needed: the other schedules get its slots."""
        with self._lock:
            self._schedules.remove(schedule)
            if self._schedules and self.restarts_alone:
                self._renew([slot for slot in self._slots if slot.schedule == schedule and slot.state != "busy"])

    def _renew(self, slots: list[Slot]) -> None:
        live = self._processes()
        for slot in slots:
            slot.used.update(live.get(slot.name, ()))
            slot.schedule = self._next_schedule(slot)
        self._make_cold(slots, live)
        for slot in slots:
            slot.state = "ready" if self.case.restart in _AT_NEXT_REQUEST else "pending"
            slot.since = time.monotonic()

    def _next_schedule(self, slot: Slot | None = None) -> Schedule:
        """The schedule for the next process of a slot (None: of a new slot): the one with the fewest other slots; of
        equals, the one that most callers wait for."""
        counts = Counter(other.schedule for other in self._slots if other is not slot and other.state != "spent")
        return min(self._schedules, key=lambda name: (counts[name], -self._waiting[name]), default=self.case.schedule)

    def _refresh(self) -> None:
        pending = [slot for slot in self._slots if slot.state == "pending"]
        if not pending:
            return
        live = self._processes()
        for slot in pending:
            processes = live.get(slot.name, [])
            fresh = [process for process in processes if process not in slot.used]
            if len(fresh) >= self.case.processes and all(self._is_ready(slot, process) for process in fresh):
                slot.used.intersection_update(processes)
                slot.state, slot.since = "ready", time.monotonic()

    def _timeout_error(self, timeout: float) -> InfrastructureError:
        states = ", ".join(f"{slot.name} {slot.state}" for slot in self._slots)
        log = "\n  ".join(self.recent_log()[-ERROR_LINES:])
        return InfrastructureError(
            f"no cold interpreter within {timeout:.0f} s (slots: {states}); the server's log ends:\n  {log}"
        )

    def _is_ready(self, slot: Slot, process: ProcessId) -> bool:
        return self.case.black_box or self._observer(slot).is_recorded(process)
