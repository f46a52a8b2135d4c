"""A host: several places where a cold interpreter waits, and how they are made cold again.

Apache replaces a dead process at its maintenance tick, once a second; killing one process and waiting for
the next reaches about one cold start a second. So several interpreters stand side by side, each a *slot*,
and some are replaced while others are used.

This is the seam: what is above it knows hosts and slots, and not which server it is. A server says what the processes
of a slot are, how they are made cold, and what is known of them.
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
from harness.hosting.slot import ColdSlot, Observer, Slot
from harness.records import (
    ProcessId,
    Schedule,
)

START_SECONDS = 30.0
POLL_SECONDS = 0.005
# Apache looks after its processes once a second: a killed one is replaced 0 to 1 s later, by when it died.
REPLACEMENT_SECONDS = 1.0
# One tick of replacement at up to ~6 cold starts a second on two cores, and one or two in reserve.
SLOTS_PER_CORE = 6
# Methods after which it is the next request that makes a process cold (or a script reloaded).
_AT_NEXT_REQUEST = ("touch", "reload")


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
        self.restarts_alone = True
        """Can a slot be made cold without touching the others?"""
        self._waiting: Counter[Schedule] = Counter()
        self._lock = threading.Lock()
        self._slots: list[Slot] = []

    # -- what a server does ---------------------------------------------------------------------------

    @abc.abstractmethod
    def _start(self) -> None:
        """Start the servers, and add their slots. Raises BadInput, InfrastructureError."""

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
    def _make_cold(self, slots: Sequence[Slot], live: Mapping[str, list[ProcessId]]) -> None:
        """Apply the case's restart method to these slots, whose processes are `live`; the next ones are of the slot's
        schedule."""

    @abc.abstractmethod
    def _observer(self, slot: Slot) -> Observer:
        """Who tells of its processes."""

    def _tidy(self) -> None:  # noqa: B027 - most servers leave nothing
        """Remove what is left when everything has ended."""

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()
        self._tidy()

    # -- slots ---------------------------------------------------------------------------------------

    def take(self, schedule: Schedule | None = None, timeout: float = START_SECONDS) -> ColdSlot:
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
                        slot = min(fitting, key=lambda slot: slot.since)
                        slot.state = "busy"
                        return self._in_use(slot)
                    # A method that hits every slot at once waits until nobody can use any of them.
                    coming = any(slot.state in ("busy", "pending") for slot in self._slots)
                    if not coming and not any(self._waiting[slot.schedule] for slot in ready):
                        self._renew(self._slots)
                if time.monotonic() > deadline:
                    self._fail_to_start(timeout)
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
            slot.schedule = self._deal(slot)
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
            if len(fresh) >= self.case.processes and all(self._is_ready(slot, process) for process in fresh):
                slot.used.intersection_update(here)
                slot.state, slot.since = "ready", time.monotonic()

    def _fail_to_start(self, timeout: float) -> None:
        states = ", ".join(f"{slot.name} {slot.state}" for slot in self._slots)
        raise InfrastructureError(
            f"no cold interpreter within {timeout:.0f} s (slots: {states}); the server's log ends:\n  "
            + "\n  ".join(self.recent_log()[-20:])
        )

    def _is_ready(self, slot: Slot, process: ProcessId) -> bool:
        return self.case.black_box or self._observer(slot).is_recorded(process)
