"""A bench run: the cycles of all cells in turn, and the file that is written of them."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.bench.cycle import BrokenScript, run_cycle
from harness.bench.plan import RestartLoad, interleave, shifts
from harness.bench.records import BENCH_VERSION, Bench, Cell, Cycle, encode_bench
from harness.bench.summary import summarise
from harness.cases.case import Case
from harness.errors import BadInput, Inconclusive, MissingRuntime
from harness.hosting.backend import Backend
from harness.hosting.capacity import check_room
from harness.hosting.host import REPLACEMENT_SECONDS
from harness.load.client import SteadyClient
from harness.run.session import describe_machine
from harness.store.runs import BENCH_FILE, make_run_directory, write_whole

# Requests that wait for a process to start are held by threads of the server: room for a start of so many seconds.
HELD_SECONDS = 3.0
# Of those threads, which is enough for 330 requests a second; what is beyond waits in the listen queue.
MOST_THREADS = 1000
# Of Locust users, one for each open request: all requests of 40 s at the default rate.
MOST_OPEN = 2000


@dataclass
class _Column:
    """A cell while the run goes on."""

    name: str
    case: Case
    cycles: list[Cycle] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""


@dataclass
class BenchRun:
    """One bench run, started once by `go`. However it ends, its directory has what was measured until then."""

    cells: Sequence[tuple[str, Case]]
    load: RestartLoad
    backend: Backend
    results: Path
    cycles: int
    seed: int
    workers: int = 0
    command: str = ""

    def __post_init__(self) -> None:
        names = [name for name, _ in self.cells]
        if len(set(names)) != len(names):
            raise BadInput(f"two cells are called {next(name for name in names if names.count(name) > 1)}")
        self._users = min(MOST_OPEN, self.load.shifted(REPLACEMENT_SECONDS).count)
        check_room(self.results, self._users)
        self._columns = [_Column(name, case) for name, case in self.cells]
        self._environment = describe_machine()
        self.directory = make_run_directory(self.results)
        self.run = self.directory.name

    def go(self, tell: Callable[[str], None]) -> Bench:
        """Run every cycle; Ctrl-C ends the run early. `tell` receives a line for each. Raises HarnessError."""
        users = self._users
        status: Literal["complete", "interrupted"] = "interrupted"
        begin = time.monotonic()
        try:
            with SteadyClient(users, self.directory / "locust.log", self.workers) as client:
                order = 0
                delays = shifts(self.cycles, self.seed)
                for number, cells in interleave(len(self._columns), self.cycles, self.seed):
                    load = self.load.shifted(delays[number - 1])
                    for column in (self._columns[cell] for cell in cells):
                        if not column.note:
                            order += 1
                            tell(f"cycle {number} of {self.cycles}: {column.name}")
                            self._run_cycle(column, client, load, number, order, begin)
                status = "complete"
        except KeyboardInterrupt:
            pass
        finally:
            bench = self._bench(status)
            write_whole(self.directory / BENCH_FILE, encode_bench(bench), "the measurement")
        return bench

    def _run_cycle(
        self, column: _Column, client: SteadyClient, load: RestartLoad, number: int, order: int, begin: float
    ) -> None:
        case = column.case
        parallel = math.ceil(min(MOST_THREADS, HELD_SECONDS * self.load.rate) / case.users)
        try:
            with self.backend.host(case, parallel, slots=1) as host:
                column.versions = host.versions
                column.cycles.append(run_cycle(host, client, load, number=number, order=order, run_begin=begin))
        except (BrokenScript, Inconclusive, MissingRuntime) as error:
            column.note = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:  # a fault of the judges'
            column.note = f"inconclusive: its cycle {number} cannot be judged ({type(error).__name__}: {error})"

    def _bench(self, status: Literal["complete", "interrupted"]) -> Bench:
        return Bench.of(
            self,
            schema_version=BENCH_VERSION,
            status=status,
            environment=self._environment,
            backend=self.backend.name,
            rate=self.load.rate,
            during_s=self.load.during_s,
            cells=tuple(map(self._cell, self._columns)),
        )

    def _cell(self, column: _Column) -> Cell:
        case = column.case
        return Cell.of(
            case,
            name=column.name,
            versions=column.versions,
            requests=tuple(map(str, case.requests)),
            note=column.note,
            cycles=tuple(column.cycles),
            summary=summarise(column.cycles, self.load.during_s),
        )
