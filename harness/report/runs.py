"""What runs are stored: read from what each wrote about itself, not from its histories."""

from __future__ import annotations

import contextlib
import datetime
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.bench.records import BENCH_FILE


@dataclass(frozen=True)
class StoredRun:
    """A run in the results directory."""

    name: str
    begin: datetime.datetime
    status: str
    """`complete`, `interrupted`, or `unfinished` where it never came to write its result."""
    scenarios: tuple[str, ...]
    cases: int
    verdicts: Counter[str]
    unmet: int
    seconds: float


class _Case(msgspec.Struct):
    case: str = ""
    scenario: str = ""
    verdict: str = "?"
    met: bool = True
    duration_s: float = 0.0


class _Cycle(msgspec.Struct):
    seconds: float = 0.0


class _Cell(msgspec.Struct):
    scenario: str = ""
    cycles: list[_Cycle] = []


class _Bench(msgspec.Struct):
    """The same of a bench run."""

    status: str = "unfinished"
    cells: list[_Cell] = []


class _Run(msgspec.Struct):
    """What any version of the harness wrote of a run; the rest of the file is not looked at."""

    status: str = "unfinished"
    cases: list[_Case] = []


def stored_runs(results: Path) -> list[StoredRun]:
    """The runs of a results directory, the newest first."""
    directories = [each for each in results.iterdir() if each.is_dir()] if results.is_dir() else []
    found = [_read(each) for each in directories if (each / "cases").is_dir()]
    found += [_read_bench(each) for each in directories if (each / BENCH_FILE).is_file()]
    return sorted(found, key=lambda run: (run.begin, run.name), reverse=True)


def _read(directory: Path) -> StoredRun:
    run = _Run()
    for name in ("run.json", "result.json"):
        # What was planned, and over it what came of it. A file that is missing or damaged leaves the other.
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            run = msgspec.json.decode((directory / name).read_bytes(), type=_Run)
    ran = run.cases if run.status != "unfinished" else []
    return StoredRun(
        name=directory.name,
        begin=_begin(directory),
        status=run.status,
        scenarios=tuple(dict.fromkeys(each.scenario or each.case.partition("::")[0] for each in run.cases)),
        cases=len(run.cases),
        verdicts=Counter(each.verdict for each in ran),
        unmet=sum(not each.met for each in ran),
        seconds=sum(each.duration_s for each in ran),
    )


def _read_bench(directory: Path) -> StoredRun:
    bench = _Bench()
    with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
        bench = msgspec.json.decode((directory / BENCH_FILE).read_bytes(), type=_Bench)
    return StoredRun(
        name=directory.name,
        begin=_begin(directory),
        status=bench.status,
        scenarios=tuple(dict.fromkeys(each.scenario for each in bench.cells)),
        cases=len(bench.cells),
        verdicts=Counter({"bench": len(bench.cells)}),
        unmet=0,
        seconds=sum(cycle.seconds for each in bench.cells for cycle in each.cycles),
    )


def _begin(directory: Path) -> datetime.datetime:
    """By the run's name; of a directory that was renamed, by its files."""
    with contextlib.suppress(ValueError):
        return datetime.datetime.strptime(directory.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=datetime.UTC)
    return datetime.datetime.fromtimestamp(directory.stat().st_mtime, datetime.UTC)


def print_runs(console: Console, runs: Sequence[StoredRun]) -> None:
    """A table, the newest run first."""
    table = Table("run", "when (UTC)", "scenarios")
    for name in ("cases", "verdicts", "met", "time"):
        table.add_column(name, justify="left" if name == "verdicts" else "right")
    for run in runs:
        met = run.cases - run.unmet
        table.add_row(
            escape(run.name),
            f"{run.begin:%Y-%m-%d %H:%M}",
            escape(", ".join(run.scenarios[:3]) + (", …" if len(run.scenarios) > 3 else "")),
            str(run.cases),
            ", ".join(f"{name} {count}" for name, count in run.verdicts.most_common())
            if run.status == "complete"
            else run.status,
            f"{met}/{run.cases}" if run.status == "complete" else "-",
            f"{run.seconds:.0f} s",
        )
    console.print(table)
