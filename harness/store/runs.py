"""The stored runs of a results directory: named, found, and listed by what each wrote about itself."""

from __future__ import annotations

import contextlib
import datetime
import secrets
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec

from harness.errors import BadInput

PLAN_FILE = "run.json"
RESULT_FILE = "result.json"
BENCH_FILE = "bench.json"
CASES = "cases"
"""The directory of a run's histories."""


def new_run_name() -> str:
    """What a run is called: when it began, and a few digits that no other has."""
    return f"{datetime.datetime.now(datetime.UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def make_run_directory(results: Path, inside: str = "") -> Path:
    """A directory for a new run, in the results directory, with a directory `inside` it. Raises BadInput."""
    directory = results / new_run_name()
    try:
        (directory / inside).mkdir(parents=True)
    except OSError as error:
        raise BadInput(f"{directory}: results cannot be written: {error.strerror} (--results)") from error
    return directory


def is_run(directory: Path) -> bool:
    """Did a run leave this directory?"""
    return (directory / CASES).is_dir() or (directory / BENCH_FILE).is_file()


def stored_run(name: str, results: Path) -> Path:
    """The directory of a stored run, by path or by its name in the results directory. Raises BadInput."""
    for directory in (Path(name), results / name):
        if is_run(directory):
            return directory
    known = sorted(each.name for each in results.iterdir() if is_run(each)) if results.is_dir() else []
    latest = f"; the latest is {known[-1]}" if known else ""
    raise BadInput(f"there is no stored run {name!r} in {results}{latest}")


def histories(directory: Path) -> list[Path]:
    """The histories of a stored run, in the order in which they were last written."""
    return sorted((directory / CASES).glob("*.jsonl"), key=lambda path: path.stat().st_ctime)


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
    found = [_read(each) for each in directories if (each / CASES).is_dir()]
    found += [_read_bench(each) for each in directories if (each / BENCH_FILE).is_file()]
    return sorted(found, key=lambda run: (run.begin, run.name), reverse=True)


def _read(directory: Path) -> StoredRun:
    run = _Run()
    for name in (PLAN_FILE, RESULT_FILE):
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
