"""A slot, in which a cold interpreter waits, and what can be observed of its processes while it is in use."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from harness.cases.case import Case
from harness.records import Evidence, Inside, LogLine, ProcessId, Schedule, State, ThreadStack, WatchedProcess

# How long the CPU time of a process is watched, and how much of it still counts as standing still: two ticks of the
# kernel's clock, because a server's own monitor threads wake up now and then.
IDLE_WATCH_SECONDS = 1.0
IDLE_CPU_SECONDS = 0.02


@dataclass(eq=False)
class Slot:
    """A place for one cold interpreter, independent of the others."""

    name: str
    address: tuple[str, int]
    headers: dict[str, str]
    """What a request must carry to reach it."""
    schedule: Schedule
    """The schedule of the threads of its next process."""
    state: Literal["pending", "ready", "busy", "spent"] = "pending"
    since: float = field(default_factory=time.monotonic)
    used: set[ProcessId] = field(default_factory=set)
    """Processes that an earlier trial has used."""


class Observer(abc.ABC):
    """What can be observed of a slot's processes, from outside and by the probe inside them."""

    @abc.abstractmethod
    def cpu_seconds(self, process: ProcessId) -> float | None:
        """CPU time so far, in seconds; None if it is gone."""

    @abc.abstractmethod
    def resident_mib(self, process: ProcessId) -> float | None:
        """Resident memory, in MiB; None if it is gone."""

    @abc.abstractmethod
    def is_recorded(self, process: ProcessId) -> bool:
        """Has its probe begun to record? Then it accepts requests."""

    @abc.abstractmethod
    def inside(self, process: ProcessId, since: float) -> Inside | None:
        """What its probe has recorded since the moment `since`; None if there is no recording."""

    @abc.abstractmethod
    def stacks(self, process: ProcessId) -> tuple[ThreadStack, ...]:
        """What its threads are doing right now, as it reports it."""

    @abc.abstractmethod
    def state(self, process: ProcessId) -> State:
        """The state that it is in, told by itself."""

    @abc.abstractmethod
    def log(self, processes: Iterable[ProcessId]) -> tuple[LogLine, ...]:
        """New log lines of these processes, since the last call."""

    @abc.abstractmethod
    def is_reload(self, log: Sequence[LogLine]) -> bool:
        """Do these lines say that an interpreter has imported the script again?"""

    def short(self) -> tuple[str, ...]:
        """What the machine has run out of where its processes write, in sentences."""
        return ()

    @abc.abstractmethod
    def forget(self, process: ProcessId) -> None:
        """Delete the recording of a process that will not be used again."""


class ColdSlot:
    """A slot in use: where its requests go, and what becomes of its processes."""

    def __init__(self, slot: Slot, case: Case, observer: Observer, live: Callable[[], list[ProcessId]]) -> None:
        """`live` returns the processes that the slot has at that moment."""
        self.slot = slot
        self.name, self.address, self.headers = slot.name, slot.address, slot.headers
        self.case = case
        self._observer = observer
        self._live = live
        self._processes: tuple[WatchedProcess, ...] = ()
        self._stacks: tuple[ThreadStack, ...] = ()

    def watch(self) -> tuple[WatchedProcess, ...]:
        """Its processes: those seen before, with a mark if they are gone, and new ones."""
        live = self._live()
        known = {watched.process: watched for watched in self._processes}
        for process in live:
            known.setdefault(process, WatchedProcess(process=process, fresh=process not in self.slot.used))
        # An old process may go, because a restart or a touched script ends it. A reload does not.
        may_go = self.case.restart != "reload"
        self._processes = tuple(
            WatchedProcess(
                process=process, fresh=watched.fresh, gone=process not in live and (watched.fresh or not may_go)
            )
            for process, watched in known.items()
        )
        return self._processes

    def watch_idle(
        self, seconds: float = IDLE_WATCH_SECONDS, wait: Callable[[float], object] = time.sleep
    ) -> tuple[WatchedProcess, ...]:
        """Watch the CPU time of processes that owe answers: no progress means a hang, progress a slow process."""
        begin = [(watched, self.cpu_seconds(watched.process)) for watched in self._processes]
        wait(seconds)
        idle = []
        for watched, before in begin:
            after = self.cpu_seconds(watched.process)
            still = before is not None and after is not None and after - before <= IDLE_CPU_SECONDS
            idle.append(msgspec.structs.replace(watched, idle=still))
        self._processes = tuple(idle)
        return self._processes

    def read_stacks(self) -> tuple[ThreadStack, ...]:
        """The stacks of the threads of idle processes, right now."""
        hung = [watched.process for watched in self._processes if watched.idle and not watched.gone]
        self._stacks = tuple(stack for process in hung for stack in self._observer.stacks(process))
        return self._stacks

    def cpu_seconds(self, process: ProcessId) -> float | None:
        """CPU time of one of its processes so far, in seconds; None if it is gone."""
        return self._observer.cpu_seconds(process)

    def resident_mib(self, process: ProcessId) -> float | None:
        """Resident memory of one of its processes, in MiB; None if it is gone."""
        return self._observer.resident_mib(process)

    def collect(self, since: float, *, answered: bool) -> Evidence:
        """All that is known of its processes `since` that moment; their state only if all requests were `answered`."""
        if answered:
            self.watch()
        pids = [watched.process for watched in self._processes]
        reload, observer = self.case.restart == "reload", self._observer
        states: tuple[State, ...] = ()
        inside: tuple[Inside, ...] = ()
        if not self.case.black_box:
            # An old process may be ending, because a restart ends it: it need not report.
            sound = [watched.process for watched in self._processes if answered and watched.fresh and not watched.gone]
            states = tuple(observer.state(process) for process in sound)
            recordings = (observer.inside(process, since if reload else 0.0) for process in pids)
            inside = tuple(recording for recording in recordings if recording is not None)
        log = observer.log(pids)
        if not reload:
            for process in pids:
                observer.forget(process)
        return Evidence(
            processes=self._processes,
            inside=inside,
            states=states,
            stacks=self._stacks,
            log=log,
            reloaded=observer.is_reload(log),
            short=observer.short(),
        )
