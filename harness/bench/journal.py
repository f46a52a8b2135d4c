"""`results/<run>/bench.jsonl`: what a bench run will do, then each cycle as soon as it is over, a line of JSON each.

bench.json is made from it at the end; where a run was killed, everything that was measured is here.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import pydantic

from harness.bench.plan import RestartLoad
from harness.bench.records import BENCH_VERSION, Bench, Cell, Cycle, decode_bench
from harness.bench.summary import summarise
from harness.cases.case import Case
from harness.cases.reading import decode, lines, shown
from harness.errors import BadInput, shortened
from harness.records import BackendName, Record
from harness.store.history import end_of_last_line
from harness.store.runs import BENCH_FILE, BENCH_JOURNAL

JOURNAL_VERSION: Literal[1] = 1
"""Of the form of the file."""


class PlannedCell(Record, frozen=True):
    """A cell of the comparison, and the whole of its case."""

    name: str
    case: dict[str, Any]


class BenchPlan(Record, frozen=True, tag="plan"):
    """The first line: all that is needed to go on with the run."""

    version: int
    run: str
    command: str
    environment: dict[str, Any]
    backend: BackendName
    rate: float
    restarts_at: tuple[float, ...]
    during_s: float
    after_s: float
    cycles: int
    seed: int
    workers: int
    runtimes: str
    cells: tuple[PlannedCell, ...]
    files: dict[str, str]
    """A digest of each source file of the sites, by its path."""

    @property
    def load(self) -> RestartLoad:
        return RestartLoad(self.rate, self.restarts_at, self.during_s, self.after_s)

    def cases(self) -> list[tuple[str, Case]]:
        """The cells, each with its name. Raises BadInput: another version of the harness wrote them."""
        try:
            return [(cell.name, Case.from_json(cell.case)) for cell in self.cells]
        except (pydantic.ValidationError, msgspec.ValidationError) as error:
            raise BadInput(f"run {self.run}: its plan is of another version of the harness: {error}") from error


class CycleLine(Record, frozen=True, tag="cycle"):
    """A cycle that is over."""

    cell: str
    versions: dict[str, str]
    cycle: Cycle


class NoteLine(Record, frozen=True, tag="note"):
    """Why a cell is not measured any further."""

    cell: str
    versions: dict[str, str]
    note: str


class ResumptionLine(Record, frozen=True, tag="resumed"):
    """The run was interrupted before this line, and goes on behind it."""

    begin: str
    environment: dict[str, Any]


_Line = BenchPlan | CycleLine | NoteLine | ResumptionLine
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(_Line)


@dataclass
class Column:
    """A cell while the run goes on."""

    name: str
    case: Case
    cycles: list[Cycle] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    note: str = ""

    def cell(self, during_s: float) -> Cell:
        return Cell.of(
            self.case,
            name=self.name,
            versions=self.versions,
            requests=tuple(map(str, self.case.requests)),
            note=self.note,
            cycles=tuple(self.cycles),
            summary=summarise(self.cycles, during_s),
        )


@dataclass
class Journal:
    """A journal as it was read: the plan, and what was measured."""

    plan: BenchPlan
    columns: list[Column]

    def bench(self, status: Literal["complete", "interrupted"]) -> Bench:
        cells = tuple(column.cell(self.plan.during_s) for column in self.columns)
        return Bench.of(self.plan, schema_version=BENCH_VERSION, status=status, cells=cells)


class JournalWriter:
    """Appends to a journal; each line is flushed. A context manager."""

    def __init__(self, path: Path, first: BenchPlan | ResumptionLine) -> None:
        """A new journal that begins with a plan, or one that goes on after a resumption. Raises BadInput."""
        self._path = path
        try:
            self._stream = path.open("xb" if isinstance(first, BenchPlan) else "r+b")
            self._stream.seek(end_of_last_line(self._stream))
            self._stream.truncate()
        except OSError as error:
            raise BadInput(f"{path}: the measurement cannot be written: {error.strerror}") from error
        self.add(first)

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()

    def add(self, line: _Line) -> None:
        """Append a line. Raises BadInput."""
        try:
            self._stream.write(_encode(line) + b"\n")
            self._stream.flush()
            os.fsync(self._stream.fileno())  # a cycle takes seconds: this is nothing beside it
        except OSError as error:
            raise BadInput(f"{self._path}: the measurement cannot be written: {error.strerror}") from error


def read_journal(directory: Path) -> Journal:
    """The journal of a bench run; a last line that a kill cut short is passed over. Raises BadInput: there is none, or
    it is damaged."""
    path = directory / BENCH_JOURNAL
    plan: BenchPlan | None = None
    columns: dict[str, Column] = {}
    for number, text in lines(path):
        name = f"{shown(path)}:{number}"
        line = decode(_decoder, text, name, "a line of a bench run")
        try:
            if isinstance(line, BenchPlan):
                plan = line
                columns = {name: Column(name, case) for name, case in plan.cases()}
            elif isinstance(line, CycleLine):
                columns[line.cell].cycles.append(line.cycle)
                columns[line.cell].versions = line.versions
            elif isinstance(line, NoteLine):
                columns[line.cell].note, columns[line.cell].versions = line.note, line.versions
        except (KeyError, ValueError, TypeError) as error:
            raise BadInput(f"{name}: not a line of a bench run: {shortened(str(error), 300)}") from None
    if plan is None:
        raise BadInput(f"{path}: the run ended before its plan was written: start it anew")
    return Journal(plan, list(columns.values()))


def read_bench(directory: Path) -> Bench:
    """A stored bench run: its bench.json, or what its journal has where it was killed. Raises BadInput: there is
    neither, or another version of the harness wrote it."""
    path = directory / BENCH_FILE
    if not os.path.lexists(path) and os.path.lexists(directory / BENCH_JOURNAL):
        return read_journal(directory).bench("interrupted")
    return decode_bench(path)
