"""The frozen records that flow from hosting to report. All times are CLOCK_MONOTONIC seconds.

CLOCK_MONOTONIC is one clock for all processes of a machine and its containers, so times of a client and of a span
inside the server can be compared. A runtime without it (Python 2.7) records wall time, which is shifted when its
events are read.
"""

from __future__ import annotations

from typing import Any, Literal, Self

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
# Of a request that got no whole answer. `truncated`: the server ended it early; `malformed`: no client can read it;
# `cut`: it went on beyond a limit of the harness.
Failure = Literal["refused", "reset", "open", "truncated", "malformed", "cut"]
# Those whose answer the server has not ended.
UNENDED: tuple[Failure, ...] = ("open", "cut")

# A page of the size that browsers are sent, many times over. A stampede may hold this many times its users.
MAX_BODY = 8 * 2**20
# Of a path in a sentence: the whole of nearly every one.
_SHOWN_PATH = 120


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all records: frozen, built by keyword, stored as a JSON object."""

    @classmethod
    def of(cls, source: object, **fields: Any) -> Self:
        """A record with these fields; the others are those of `source` that have their names."""
        others = [name for name in cls.__struct_fields__ if name not in fields and hasattr(source, name)]
        return cls(**fields, **{name: getattr(source, name) for name in others})


class Request(Record, frozen=True, omit_defaults=True):
    """One request of the mix. `status` is declared where a status other than 2xx or 3xx is right."""

    path: str
    method: str = "GET"
    body: str = ""
    headers: dict[str, str] = {}
    status: int | None = None

    def __str__(self) -> str:
        path = (
            self.path if len(self.path) <= _SHOWN_PATH else f"{self.path[:_SHOWN_PATH]}… ({len(self.path)} characters)"
        )
        return f"{self.method} {path}"


class ProcessId(msgspec.Struct, frozen=True, order=True):
    """A process; its start time tells it from an earlier one with the same pid.

    `start` is field 22 of /proc/PID/stat: clock ticks since boot (proc(5)).
    """

    pid: int
    start: int

    def __str__(self) -> str:
        return f"{self.pid}@{self.start}"


class Answer(Record, frozen=True):
    """The answer to one request, as its client saw it."""

    user: int
    request: int
    """Index into the case's requests."""
    intended: float
    """When the request should have been sent: the moment of release."""
    sent: float | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    failure: Failure | None = None
    headers: dict[str, str] = {}
    body: str = ""
    process: ProcessId | None = None
    """Which process answered, proven by the probe; None where nothing inside could say."""
    count: int | None = None
    """That process's request count: 1 for the first request of its interpreter."""

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
    """None: it did not end while it was recorded."""
    failed: bool = False
    """It raised; of a request: into the server, perhaps after the begin of its answer was sent."""
    nested: int = 0
    """Of an import: how many other modules it imported."""
    callers: tuple[str, ...] = ()
    """The calls that led to it, innermost first: `file:line function`."""

    def overlaps(self, other: Span) -> bool:
        return (self.end is None or self.end >= other.begin) and (other.end is None or other.end >= self.begin)


class CodePlace(msgspec.Struct, frozen=True, array_like=True):
    """A line of code that a thread was at."""

    file: str
    line: int
    function: str
    module: str
    """As it is imported; of a WSGI script, the name of its file."""


class Lead(msgspec.Struct, frozen=True, array_like=True):
    """What a failure leads to, found mechanically; see harness/inside/witness.py."""

    kind: Literal["module", "object", "code"]
    """A module that was still being executed, an object that hangs from a name of a module, or the failing function."""
    name: str
    """Of the module, of the object with its module, or of the module of that function."""
    place: CodePlace
    """The innermost frame outside the standard library."""
    through: str = ""
    """The module of another package through which its package was called."""


class Testimony(Record, frozen=True):
    """What was seen where the first request of a process failed."""

    error: str
    """The type of the exception that the others were raised from."""
    lead: Lead | None = None
    frames: tuple[CodePlace, ...] = ()
    """Its traceback, innermost first."""
    threads: tuple[tuple[int, tuple[CodePlace, ...]], ...] = ()
    """What other threads were doing at that moment, innermost first."""


class Mishap(Record, frozen=True):
    """An exception inside a request, as the probe saw it."""

    process: ProcessId
    thread: int
    at: float
    request: str
    error: str
    """`Type: message`."""
    traceback: str
    witness: Testimony | None = None
    """Only of the first failure of a process."""


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
    """How its threads were disturbed; "" where they were not."""
    seed: int = 0
    delays: int = 0
    """How many delays the strategy has made."""
    disturbed_files: int = -1
    """How many files of the chosen packages ran, where the strategy disturbs lines; otherwise -1."""
    lost: int = 0
    """Events dropped because the recorder was full."""

    @property
    def raised(self) -> set[str]:
        """The requests, by their names, that raised into the server."""
        return {span.name for span in self.spans if span.failed and span.kind == "request"}

    def number_threads(self) -> dict[int, int]:
        """The number of each thread, by which all reports call it: 1 for the first that was seen, and so on."""
        threads = (span.thread for span in sorted(self.spans, key=lambda span: span.begin))
        return {thread: number for number, thread in enumerate(dict.fromkeys(threads), 1)}


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One call on a thread's stack."""

    file: str
    line: int
    function: str
    source: str = ""


class ThreadStack(Record, frozen=True):
    """What one thread of a hung process was doing, as the process itself reports it."""

    thread: int
    frames: tuple[Frame, ...]
    """Innermost last."""
    waits_for: str = ""
    """The lock that it waits for, where that is known."""
    owner: int = 0
    """The thread that holds that lock; 0 where that is not known."""
    lock: int = 0
    """The same number for the same lock."""
    for_good: bool = False
    """Does it wait, without a timeout, in a cycle of threads that wait for each other?"""
    process: ProcessId = ProcessId(0, 0)


class State(Record, frozen=True):
    """What a process reports of its own state. In a trial only entries that differ from the first control's; a missing
    one is None."""

    process: ProcessId
    entries: dict[str, str | int | None]
    failed: tuple[str, ...] = ()
    """What could not be read, and why."""


class LogLine(msgspec.Struct, frozen=True):
    """A line of the server's error log."""

    pid: int
    text: str


class WatchedProcess(Record, frozen=True):
    """A process of the trial as seen from outside (/proc)."""

    process: ProcessId
    fresh: bool
    """It started after the last restart, and no earlier trial used it."""
    gone: bool = False
    """It ended although nobody asked it to."""
    idle: bool | None = None
    """Only where requests were still open after the grace: did it use no CPU time?"""


class Evidence(Record, frozen=True):
    """What a host saw of the processes of a trial, of a control, or of a child of the snapshot lane."""

    processes: tuple[WatchedProcess, ...] = ()
    inside: tuple[Inside, ...] = ()
    states: tuple[State, ...] = ()
    stacks: tuple[ThreadStack, ...] = ()
    """Only of processes that hang."""
    log: tuple[LogLine, ...] = ()
    reloaded: bool = False
    """Did the server log that it imported the script again in an interpreter that had it?"""
    short: tuple[str, ...] = ()
    """That the server ended meanwhile, or what the machine ran out of, in sentences: then nothing of it is judged."""


class LeftProcess(msgspec.Struct, frozen=True):
    """A process that a process of the site had started, and that had not ended with it."""

    of: int
    """The pid of the site's process; 0 where that is not known."""
    command: str
    """The first words of its command line."""


class Leftovers(Record, frozen=True, tag="leftovers"):
    """What the cold processes of a case left running when they ended; the last line of a history that has any."""

    processes: tuple[LeftProcess, ...]
    cold: int
    """How many cold processes there were, those of the controls among them."""


class Control(Record, frozen=True, tag="control"):
    """The case's requests sent one after another to a cold process."""

    number: int
    answers: tuple[Answer, ...]
    evidence: Evidence = Evidence()
    begin: float = 0.0
    part: int = 1
    """Of its run: 1, and one more each time that the run was resumed."""


class ThreadOrder(Record, frozen=True):
    """The order in which the threads of a perturbed trial passed its points; see harness/inside/order.py."""

    runs: tuple[tuple[int, int], ...] = ()
    """(request, steps) in the order of time; kept of bad trials only."""
    steps: int = 0
    followed: int = 0
    """Where an order was enforced: how many of its steps were made in that order."""
    line_up: bool = False
    """Were the threads held at a slow import, so that they left it together?"""
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
    part: int = 1
    """As of a control; a trial is judged by the controls of its own part."""
