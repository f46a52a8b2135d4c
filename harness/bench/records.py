"""`results/<run>/bench.json`: the frozen records of a bench run. Reports and other programs read them.

A *cell* is one column of the comparison: a script in a mode with a restart method, a number of processes and threads,
with or without preload. It is measured in several *cycles* of one or more restarts each; the cycles of all cells are
interleaved, so that a machine that becomes slower meanwhile does so for all of them.

Times in a cycle are seconds from its own begin; latencies are milliseconds from the *intended* send to the last byte.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.cases.reading import decode, read_bytes, shown
from harness.records import BackendName, Mode, Record, RestartMethod

# The form of the file; another number makes the stored ones unreadable.
BENCH_VERSION: Literal[1] = 1

# ok: the right answer. error: a 5xx from the site or the server. wrong: not the answer of the controls.
# dropped: refused or reset. hung: still open at the end of the cycle's grace. Only ok is a good answer.
SampleOutcome = Literal["ok", "error", "wrong", "dropped", "hung"]
PhaseName = Literal["before", "during", "after"]
PHASES: tuple[PhaseName, ...] = ("before", "during", "after")


class Samples(Record, frozen=True):
    """Every request of a cycle, in the order of their intended sends: columns of one length."""

    intended_s: tuple[float, ...]
    latency_ms: tuple[float | None, ...]
    """From the intended send to the last byte; None where no complete answer came."""
    outcome: tuple[SampleOutcome, ...]
    request: tuple[int, ...]
    """Index into the cell's `requests`."""
    process: tuple[int | None, ...]
    """Which process answered: 0 is one from before the first restart, n one from after the n-th; None: not known."""

    def __post_init__(self) -> None:
        """Raises ValueError: a file has columns of several lengths."""
        columns = (self.intended_s, self.latency_ms, self.outcome, self.request, self.process)
        if len(set(map(len, columns))) > 1:
            raise ValueError("the columns of its samples differ in length")


class ColdStart(Record, frozen=True):
    """One request alone to a cold process, then some to the same process, now warm, with no other load."""

    first_ms: float
    """From the send to the last byte, with the import of the script unless it was preloaded."""
    warm_ms: float
    """Median of the warm requests."""
    cpu_s: float | None
    """CPU time of the process from its start to the end of that first answer (resolution: a tick, 10 ms)."""
    resident_mib: float | None
    """Resident memory of the process after the warm requests."""


class Cycle(Record, frozen=True):
    """Load, with one or more restarts under it; then, without load, a cold start by itself."""

    number: int
    order: int
    """Its position among all cycles of the run."""
    begin_s: float
    """When it began, in seconds from the begin of the run."""
    seconds: float
    """How long requests were sent."""
    restarts_s: tuple[float, ...]
    """When a restart was asked for."""
    born_s: tuple[float | None, ...]
    """When the process started that gave the first good answer after each restart (to a kernel tick, 10 ms)."""
    samples: Samples
    cold: ColdStart | None
    """None: the process did not answer."""
    late_sends: int
    """Requests that the load generator sent late (LATE_MS); their latency counts from the intended send."""
    worst_late_ms: float


class Latency(Record, frozen=True):
    """Percentiles of the answered requests of a phase over all cycles, by HdrHistogram (3 digits). Milliseconds."""

    answered: int
    p50: float | None
    p90: float | None
    p99: float | None
    p999: float | None
    max: float | None


class Phase(Record, frozen=True):
    """The requests of a phase, over all cycles.

    before: answered before the first restart. during: sent in the `during_s` seconds after a restart, or under way when
    it came. after: the rest.
    """

    name: PhaseName
    requests: int
    outcomes: dict[SampleOutcome, int]
    errors_5xx: int
    latency: Latency


class Summary(Record, frozen=True):
    """The numbers of a cell. Medians and worst values are over its restarts; None: it did not happen in the cycle."""

    restarts: int
    requests: int
    outcomes: dict[SampleOutcome, int]
    without_good_ms: float | None
    """Median: the longest time after a restart in which no good answer arrived."""
    without_good_worst_ms: float | None
    first_good_ms: float | None
    """Median: from the restart to the first good answer to a request that was intended after it."""
    first_good_worst_ms: float | None
    first_new_ms: float | None
    """Median: from the restart to the first good answer of a new process."""
    start_ms: float | None
    """Median: from the start of that process to that answer. The rest of `first_new_ms` is the server's own time."""
    recovered_ms: float | None
    """From the restart until p95 is within 10 % of its level before, all restarts pooled (windows of 0.5 s)."""
    p95_before_ms: float | None
    phases: tuple[Phase, ...]
    first_ms: float | None
    """Median of the cold starts, as are the next four."""
    warm_ms: float | None
    first_over_warm: float | None
    """Median of the ratios, each of one process."""
    cpu_s: float | None
    resident_mib: float | None


class Cell(Record, frozen=True):
    """One column of the comparison."""

    name: str
    """Unique in the run: scenario, mode, script, restart, and what else differs between the cells."""
    scenario: str
    site: str
    script: str
    mode: Mode
    restart: RestartMethod
    processes: int
    threads: int
    preload: bool
    runtime: str
    versions: dict[str, str]
    requests: tuple[str, ...]
    """`METHOD /path`, sent in turn."""
    note: str
    """Why it has no cycles (a broken script, a missing runtime); else empty."""
    cycles: tuple[Cycle, ...]
    summary: Summary | None


class Bench(Record, frozen=True):
    """A whole bench run."""

    schema_version: Literal[1]
    run: str
    status: Literal["complete", "interrupted"]
    command: str
    environment: dict[str, Any]
    backend: BackendName
    rate: float
    """Intended requests a second, evenly spaced."""
    workers: int
    """Locust worker processes under a Locust master; 0: one Locust process."""
    seed: int
    during_s: float
    cells: tuple[Cell, ...]
    cycles: int = 0
    """Of each cell, that the run was to have; 0 in files of 0.1 and 0.2, which do not say."""

    @property
    def made_cycles(self) -> int:
        return sum(len(cell.cycles) for cell in self.cells)

    @property
    def planned_cycles(self) -> int:
        """Of all cells; of one that is not measured any further those that it has."""
        return sum(len(cell.cycles) if cell.note else max(self.cycles, len(cell.cycles)) for cell in self.cells)


def encode_bench(bench: Bench) -> bytes:
    """A bench run as compact JSON: it has tens of thousands of samples."""
    return msgspec.json.encode(bench) + b"\n"


def decode_bench(path: Path) -> Bench:
    """What a bench.json holds. Raises BadInput: there is none, or another version of the harness wrote it."""
    return decode(msgspec.json.Decoder(Bench), read_bytes(path), shown(path), "a bench run of this version")
