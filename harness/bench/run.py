"""A bench run: the cycles of all cells in turn, and the file that is written of them."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness import __version__
from harness.bench.cycle import BrokenScript, run_cycle
from harness.bench.journal import (
    JOURNAL_VERSION,
    BenchPlan,
    Column,
    CycleLine,
    Journal,
    JournalWriter,
    NoteLine,
    PlannedCell,
    ResumptionLine,
    read_journal,
)
from harness.bench.plan import RestartLoad, interleave, shifts
from harness.bench.records import Bench, decode_bench, encode_bench
from harness.cases.case import Case
from harness.cases.site import source_digests
from harness.errors import BadInput, Inconclusive, MissingRuntime
from harness.hosting.backend import Backend
from harness.hosting.capacity import check_room
from harness.hosting.host import REPLACEMENT_SECONDS
from harness.load.client import SteadyClient
from harness.run.session import describe_machine
from harness.store.plan import check_same, check_unchanged, locked
from harness.store.runs import BENCH_FILE, BENCH_JOURNAL, make_run_directory, write_whole

# Requests that wait for a process to start are held by threads of the server: room for a start of so many seconds.
HELD_SECONDS = 3.0
# Of those threads, which is enough for 330 requests a second; what is beyond waits in the listen queue.
MOST_THREADS = 1000
# Of Locust users, one for each open request: all requests of 40 s at the default rate.
MOST_OPEN = 2000


@dataclass
class BenchRun:
    """One bench run, or what is left of one that was interrupted: started once by `go`. However it ends, its directory
    has what was measured until then."""

    journal: Journal
    backend: Backend
    directory: Path
    begun: bool = False
    """Does it go on with a run that was interrupted?"""

    @classmethod
    def new(
        cls,
        cells: Sequence[tuple[str, Case]],
        load: RestartLoad,
        backend: Backend,
        results: Path,
        *,
        cycles: int,
        seed: int,
        workers: int = 0,
        command: str = "",
        runtimes: str = "",
    ) -> BenchRun:
        """Raises BadInput: two cells have one name, or the results cannot be written."""
        names = [name for name, _ in cells]
        if len(set(names)) != len(names):
            raise BadInput(f"two cells are called {next(name for name in names if names.count(name) > 1)}")
        check_room(results, _users(load))
        directory = make_run_directory(results)
        plan = BenchPlan(
            version=JOURNAL_VERSION,
            run=directory.name,
            command=command,
            environment=describe_machine(),
            backend=backend.name,
            rate=load.rate,
            restarts_at=load.restarts_at,
            during_s=load.during_s,
            after_s=load.after_s,
            cycles=cycles,
            seed=seed,
            workers=workers,
            runtimes=runtimes,
            cells=tuple(PlannedCell(name=name, case=case.to_json()) for name, case in cells),
            files=source_digests([case for _, case in cells]),
        )
        return cls(Journal(plan, [Column(name, case) for name, case in cells]), backend, directory)

    def go(self, tell: Callable[[str], None]) -> Bench:
        """Run every cycle that it does not have; Ctrl-C ends the run early. `tell` receives a line for each. Raises
        HarnessError."""
        status: Literal["complete", "interrupted"] = "interrupted"
        plan = self.journal.plan
        with locked(self.directory), JournalWriter(self.directory / BENCH_JOURNAL, self._first_line()) as journal:
            (self.directory / BENCH_FILE).unlink(missing_ok=True)
            try:
                with SteadyClient(_users(plan.load), self.directory / "locust.log", plan.workers) as client:
                    self._run_cycles(client, journal, tell)
                status = "complete"
            except KeyboardInterrupt:
                pass
            finally:
                bench = read_journal(self.directory).bench(status)
                write_whole(self.directory / BENCH_FILE, encode_bench(bench), "the measurement")
        return bench

    def _first_line(self) -> BenchPlan | ResumptionLine:
        if not self.begun:
            return self.journal.plan
        now = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%dT%H:%M:%SZ}"
        return ResumptionLine(begin=now, environment=describe_machine())

    def _run_cycles(self, client: SteadyClient, journal: JournalWriter, tell: Callable[[str], None]) -> None:
        plan, columns = self.journal.plan, self.journal.columns
        made = [cycle for column in columns for cycle in column.cycles]
        order = max((cycle.order for cycle in made), default=0)
        # As if the parts of the run had followed each other without a pause.
        begin = time.monotonic() - max((cycle.begin_s + cycle.seconds for cycle in made), default=0.0)
        delays = shifts(plan.cycles, plan.seed)
        for number, cells in interleave(len(columns), plan.cycles, plan.seed):
            load = plan.load.shifted(delays[number - 1])
            for column in (columns[cell] for cell in cells):
                if not column.note and all(cycle.number != number for cycle in column.cycles):
                    order += 1
                    tell(f"cycle {number} of {plan.cycles}: {column.name}")
                    journal.add(self._run_cycle(column, client, load, number, order, begin))

    def _run_cycle(
        self, column: Column, client: SteadyClient, load: RestartLoad, number: int, order: int, begin: float
    ) -> CycleLine | NoteLine:
        case = column.case
        parallel = math.ceil(min(MOST_THREADS, HELD_SECONDS * load.rate) / case.users)
        try:
            with self.backend.host(case, parallel, slots=1) as host:
                column.versions = host.versions
                cycle = run_cycle(host, client, load, number=number, order=order, run_begin=begin)
        except (BrokenScript, Inconclusive, MissingRuntime) as error:
            column.note = str(error)
            return NoteLine(cell=column.name, versions=column.versions, note=column.note)
        except (ArithmeticError, LookupError, TypeError, ValueError, AttributeError) as error:  # a fault of the judges'
            column.note = f"inconclusive: its cycle {number} cannot be judged ({type(error).__name__}: {error})"
            return NoteLine(cell=column.name, versions=column.versions, note=column.note)
        column.cycles.append(cycle)
        return CycleLine(cell=column.name, versions=column.versions, cycle=cycle)


def _users(load: RestartLoad) -> int:
    """Of Locust, one for each open request."""
    return min(MOST_OPEN, load.shifted(REPLACEMENT_SECONDS).count)


def interrupted_bench(directory: Path) -> Journal:
    """What an interrupted bench run has. Raises BadInput: it is complete, under way, or of another version; or a site
    or script has changed since it was begun."""
    name = directory.name
    with locked(directory):
        if (directory / BENCH_FILE).is_file():
            bench = decode_bench(directory / BENCH_FILE)
            if bench.status == "complete":
                raise BadInput(f"run {name} is complete: `harness report {name}` shows it")
    if not (directory / BENCH_JOURNAL).is_file():
        raise BadInput(f"run {name} was begun by an older harness, which kept no journal: start it anew")
    journal = read_journal(directory)
    made = journal.plan.environment.get("harness")
    if journal.plan.version != JOURNAL_VERSION or made != __version__:
        raise BadInput(f"run {name} was begun by harness {made}, and this is {__version__}: start it anew")
    check_unchanged(name, journal.plan.files, [column.case for column in journal.columns])
    return journal


def check_same_versions(journal: Journal, backend: Backend) -> None:
    """Raises BadInput: a cell was measured on other versions than those that are here now."""
    for column in journal.columns:
        if column.cycles:
            now = backend.host(column.case, 1, slots=1).versions
            check_same(journal.plan.run, column.case.runtime, column.versions, now)
