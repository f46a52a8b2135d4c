"""The frozen records that flow from hosting to report. All times are CLOCK_MONOTONIC seconds.

CLOCK_MONOTONIC is one clock for all processes of a machine (and its containers), so a client's send and
a span recorded inside the server compare directly. A runtime without it (Python 2.7) records wall time,
which is shifted when its events are read.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Mode = Literal["daemon", "embedded"]
Mpm = Literal["event", "worker", "prefork"]
RestartMethod = Literal["respawn", "restart", "graceful", "touch", "container", "reload"]
BackendName = Literal["local", "compose"]
Lane = Literal["apache", "snapshot"]
Schedule = Literal["natural", "perturbed"]
StrategyName = Literal["switching", "at-initialisation", "at-lines", "priorities"]
VerdictName = Literal["clean", "hazard", "race", "broken", "inconclusive"]
RaceClass = Literal["failed-request", "wrong-state", "hang", "duplicate-init"]
BrokenClass = Literal["error", "hang", "poisoned"]
OutcomeName = Literal[
    "ok", "error", "wrong", "hang", "slow", "crash", "poisoned", "dropped", "duplicate-init", "wrong-state", "unknown"
]
Failure = Literal["refused", "reset", "open"]


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: frozen, built by keyword, stored as JSON objects."""


class Request(Record, frozen=True, omit_defaults=True):
    """One request of the mix. `status` is declared where an answer other than 2xx/3xx is right."""

    path: str
    method: str = "GET"
    body: str = ""
    headers: dict[str, str] = {}
    status: int | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class ProcessId(msgspec.Struct, frozen=True, order=True):
    """A process, told apart from an earlier one with the same pid by its start time.

    `start` is field 22 of /proc/PID/stat: clock ticks since boot (proc(5)).
    """

    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.pid}@{self.start}"


class Answer(Record, frozen=True):
    """One request of a trial as its client saw it."""

    user: int
    request: int
    """Index into the case's requests."""
    intended: float
    """When it should have been sent: the moment of release."""
    sent: float | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    failure: Failure | None = None
    headers: dict[str, str] = {}
    body: str = ""
    process: ProcessId | None = None
    """Who answered, by the probe's proof; None where nothing inside could say."""
    count: int | None = None
    """The probe's request count when it answered: 1 is the first request of that interpreter."""

    @property
    def seconds(self) -> float | None:
        return None if self.last_byte is None else self.last_byte - self.intended


class Span(Record, frozen=True):
    """A piece of work inside the server process: `begin` to `end` on one thread."""

    process: ProcessId
    thread: int
    kind: str
    """request, script, import, settings, app-registry, middleware, urlconf, resolver, template-engine,
    catalogue."""
    name: str
    begin: float
    end: float | None
    """None: never ended while it was watched."""
    failed: bool = False
    nested: int = 0
    """Of an import: how many further modules it pulled in."""
    callers: tuple[str, ...] = ()
    """Who asked for it, the nearest first: `file:line function`."""


class Mishap(Record, frozen=True):
    """An exception inside a request, as the probe saw it."""

    process: ProcessId
    thread: int
    at: float
    request: str
    error: str
    """`Type: message`."""
    traceback: str


class Inside(Record, frozen=True):
    """What the probe saw of one process during a trial."""

    process: ProcessId
    booted: float | None = None
    """When its interpreter was ready, before any script."""
    spans: tuple[Span, ...] = ()
    mishaps: tuple[Mishap, ...] = ()
    executed_again: tuple[str, ...] = ()
    """Modules whose code was executed a second time in this process."""
    strategy: str = ""
    """How its threads were disturbed, where they were; by which seed, and how many delays."""
    seed: int = 0
    delays: int = 0
    disturbed_files: int = -1
    """Files of the chosen packages whose lines it has run, where the strategy disturbs lines; else -1."""
    lost: int = 0
    """Events dropped because the recorder was full."""


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One call on a thread's stack."""

    file: str
    line: int
    function: str
    source: str = ""


class ThreadStack(Record, frozen=True):
    """What one thread of a hung process was doing, told by the process itself."""

    thread: int
    frames: tuple[Frame, ...]
    """Innermost last."""
    waits_for: str = ""
    """The lock it waits for, where that can be known."""
    owner: int = 0
    """The thread that holds that lock, where the lock tells."""
    lock: int = 0
    """The same number for the same lock."""
    for_good: bool = False
    """Whether it waits, without a limit, in a ring of threads each of which has what another one waits for."""
    process: ProcessId = ProcessId(0, 0)


class State(Record, frozen=True):
    """What a process says of its own state. In a trial only what differs from the first control: None where an entry
    is missing."""

    process: ProcessId
    entries: dict[str, str | int | None]
    failed: tuple[str, ...] = ()
    """What could not be asked, and why."""


class LogLine(msgspec.Struct, frozen=True):
    """A line of the server's error log."""

    pid: int
    text: str


class WatchedProcess(Record, frozen=True):
    """A process of the trial as seen from outside (/proc)."""

    process: ProcessId
    fresh: bool
    """Started after the last restart and never used by a trial before."""
    gone: bool = False
    """It ended although nobody asked it to."""
    idle: bool | None = None
    """Only when requests were still open after the grace: did its CPU time stand still?"""


class Evidence(Record, frozen=True):
    """What a host saw of the processes that served: of a trial, a control, or a child of the snapshot lane."""

    processes: tuple[WatchedProcess, ...] = ()
    inside: tuple[Inside, ...] = ()
    states: tuple[State, ...] = ()
    stacks: tuple[ThreadStack, ...] = ()
    """Only of processes that hang."""
    log: tuple[LogLine, ...] = ()
    reloaded: bool = False
    """Did the server say that it imported the script again, in an interpreter that had it?"""


class Control(Record, frozen=True, tag="control"):
    """The case's requests sent one after another to a cold process."""

    number: int
    answers: tuple[Answer, ...]
    evidence: Evidence = Evidence()
    begin: float = 0.0


class ThreadOrder(Record, frozen=True):
    """The order in which the threads of a perturbed trial passed its points; see harness/inside/order.py."""

    runs: tuple[tuple[int, int], ...] = ()
    """(request, steps), one after another. Kept of bad trials."""
    steps: int = 0
    followed: int = 0
    """Where an order was enforced: how many of its steps were made in its order."""
    line_up: bool = False
    """Were the threads lined up by a slow import, and not by the kernel alone?"""
    fine: bool = False
    """Was every line a point, whatever the strategy?"""


class Trial(Record, frozen=True, tag="trial"):
    """One cold start, the stampede, the follow-up requests, and what was seen inside meanwhile."""

    number: int
    slot: str
    begin: float
    end: float
    answers: tuple[Answer, ...]
    follow_up: tuple[Answer, ...] = ()
    evidence: Evidence = Evidence()
    order: ThreadOrder | None = None
    """Only of a trial of the snapshot lane."""
