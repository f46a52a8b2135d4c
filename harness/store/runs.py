"""The stored runs of a results directory: their names, their files, and the list of them."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.cases.reading import decode, entries, is_directory, lines, read_bytes, shown
from harness.errors import BadInput, quoted
from harness.hosting.interruption import Shield
from harness.runtimes.limits import write_error
from harness.store import private

PLAN_FILE = "run.json"
RESULT_FILE = "result.json"
BENCH_FILE = "bench.json"
BENCH_JOURNAL = "bench.jsonl"
CASES = "cases"
"""The directory of a run's histories."""


def new_run_name() -> str:
    """A name for a new run: when it began, and digits that make it unique."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def make_run_directory(results: Path, inside: str = "") -> Path:
    """Make a directory for a new run in the results directory, with a directory `inside` it. Raises BadInput,
    InfrastructureError: the disk is full."""
    try:
        private.prepare_results(results)
        directory = private.make_new_directory(results, new_run_name)
        if inside:
            (directory / inside).mkdir(mode=0o700)
    except OSError as error:
        raise write_error(results, "results", error, "--results") from error
    return directory


def write_whole(path: Path, content: bytes, what: str, *, shared: bool = False) -> Path:
    """Write a file whole or not at all; returns its path. Its user alone may read it, unless it is to be `shared`.
    Raises BadInput, InfrastructureError, whose messages have `what` as their subject: the place is wrong; the disk is
    full."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with Shield():
            temporary.unlink(missing_ok=True)
            with temporary.open("xb") if shared else open(temporary, "xb", opener=private.opener) as stream:
                stream.write(content)
            temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # half a file on a full disk helps nobody
            temporary.unlink(missing_ok=True)
        raise write_error(path, what, error) from error
    return path


def is_run(directory: Path) -> bool:
    """Did a run leave this directory?"""
    return is_directory(directory / CASES) or is_bench(directory)


def is_bench(directory: Path) -> bool:
    """Did `harness bench` leave it?"""
    return any(os.path.lexists(directory / name) for name in (BENCH_FILE, BENCH_JOURNAL))


def stored_run(name: str, results: Path) -> Path:
    """The directory of a stored run, by path or by its name in the results directory. Raises BadInput."""
    for directory in (Path(name), results / name) if name else ():
        if is_run(directory):
            return directory
    known = [path.name for path in entries(results) if is_run(path)]
    latest = f"; the latest is {known[-1]}" if known else ""
    raise BadInput(f"there is no stored run {quoted(name)} in {shown(results)}{latest}")


def histories(directory: Path) -> list[Path]:
    """The histories of a stored run, in the order in which they were last written."""
    paths = [path for path in entries(directory / CASES) if path.suffix == ".jsonl"]
    return sorted(paths, key=lambda path: path.lstat().st_ctime)


@dataclass(frozen=True)
class StoredRun:
    """A line of the list of runs."""

    name: str
    begin: datetime.datetime
    status: str
    """`complete`, `interrupted`, `unfinished` if it ended before it wrote its result, or `damaged`."""
    scenarios: tuple[str, ...]
    cases: int
    verdicts: Counter[str]
    unmet: int
    seconds: float


class _CaseHead(msgspec.Struct):
    case: str = ""
    scenario: str = ""
    verdict: str = "?"
    met: bool = True
    duration_s: float = 0.0


class _CycleHead(msgspec.Struct):
    seconds: float = 0.0


class _CellHead(msgspec.Struct):
    scenario: str = ""
    cycles: list[_CycleHead] = []


class _BenchHead(msgspec.Struct):
    """What the list needs of bench.json."""

    status: str = "unfinished"
    cycles: int = 0
    cells: list[_CellHead] = []


class _JournalCell(msgspec.Struct):
    name: str = ""


class _JournalLine(msgspec.Struct):
    """What the list needs of a line of a journal: of the plan its cells, of a cycle its cell and length."""

    type: str = ""
    cycles: int = 0
    cells: list[_JournalCell] = []
    cell: str = ""
    cycle: _CycleHead | None = None


class _Run(msgspec.Struct):
    """What the list needs of run.json and result.json."""

    status: str = "unfinished"
    cases: list[_CaseHead] = []


Form = TypeVar("Form", bound=msgspec.Struct)


def read_result(directory: Path, form: type[Form], files: Sequence[str] = (RESULT_FILE, PLAN_FILE)) -> Form:
    """What a run wrote about itself: its result, or its plan where the result is missing or damaged.

    Only the fields of `form` are read, all of which have defaults: any version of the harness may have written them.
    """
    return _read_head(directory, form, files)[0]


def _read_head(directory: Path, form: type[Form], files: Sequence[str]) -> tuple[Form, bool]:
    """The first of these files that can be read, and whether one that is there cannot."""
    decoder = msgspec.json.Decoder(form)
    damaged = False
    for name in files:
        try:
            return decode(decoder, read_bytes(directory / name), name, "of a run"), damaged
        except BadInput:
            damaged |= os.path.lexists(directory / name)
    return form(), damaged


def stored_runs(results: Path) -> list[StoredRun]:
    """The runs of a results directory, the newest first."""
    directories = [path for path in entries(results) if is_directory(path)]
    runs = [_listed(path) for path in directories if is_directory(path / CASES)]
    runs += [_listed_bench(path) for path in directories if is_bench(path)]
    return sorted(runs, key=lambda run: (run.begin, run.name), reverse=True)


def _listed(directory: Path) -> StoredRun:
    run, damaged = _read_head(directory, _Run, (RESULT_FILE, PLAN_FILE))
    ran = run.cases if run.status != "unfinished" else []
    return StoredRun(
        name=directory.name,
        begin=_begin(directory),
        status="damaged" if damaged else run.status,
        scenarios=tuple(dict.fromkeys(case.scenario or case.case.partition("::")[0] for case in run.cases)),
        cases=len(run.cases),
        verdicts=Counter(case.verdict for case in ran),
        unmet=sum(not case.met for case in ran),
        seconds=sum(case.duration_s for case in ran),
    )


def _listed_bench(directory: Path) -> StoredRun:
    damaged = False
    if os.path.lexists(directory / BENCH_FILE):
        bench, damaged = _read_head(directory, _BenchHead, [BENCH_FILE])
    else:
        bench = _read_journal(directory)
    made = sum(len(cell.cycles) for cell in bench.cells)
    planned = max(made, bench.cycles * len(bench.cells))
    status = bench.status if bench.status == "complete" else f"interrupted after {made} of {planned} cycles"
    return StoredRun(
        name=directory.name,
        begin=_begin(directory),
        status="damaged" if damaged else status,
        scenarios=tuple(dict.fromkeys(cell.scenario for cell in bench.cells)),
        cases=len(bench.cells),
        verdicts=Counter({"bench": len(bench.cells)}),
        unmet=0,
        seconds=sum(cycle.seconds for cell in bench.cells for cycle in cell.cycles),
    )


def _read_journal(directory: Path) -> _BenchHead:
    """What a bench run that was killed has; nothing of what is damaged."""
    bench = _BenchHead()
    cells: dict[str, _CellHead] = {}
    decoder = msgspec.json.Decoder(_JournalLine)
    with contextlib.suppress(BadInput, KeyError):
        for _, text in lines(directory / BENCH_JOURNAL):
            line = decode(decoder, text, BENCH_JOURNAL, "a line of a bench run")
            if line.type == "plan":
                cells = {cell.name: _CellHead(cell.name.partition("::")[0]) for cell in line.cells}
                bench = _BenchHead(cycles=line.cycles, cells=list(cells.values()))
            elif line.cycle is not None:
                cells[line.cell].cycles.append(line.cycle)
    return bench


def _begin(directory: Path) -> datetime.datetime:
    """When a run began: by its name, or by its directory's date where that was renamed."""
    with contextlib.suppress(ValueError):
        return datetime.datetime.strptime(directory.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=datetime.UTC)
    with contextlib.suppress(ValueError, OverflowError, OSError):  # it may be of any year
        return datetime.datetime.fromtimestamp(directory.stat().st_mtime, datetime.UTC)
    return datetime.datetime.fromtimestamp(0, datetime.UTC)
