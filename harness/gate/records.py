"""What the gate compares: counts of a case and ratios within its runs, stored in `results/baselines/NAME.json`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.errors import BadInput, nearest
from harness.records import BackendName, Mode, Record, RestartMethod, Schedule, VerdictName
from harness.store.runs import write_whole

# The form of the file; another number makes the stored ones unreadable.
BASELINE_VERSION: Literal[1] = 1
BASELINES = Path("baselines")
"""In the results directory. The only part of it that is meant to be committed."""
_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")


class CaseCounts(Record, frozen=True):
    """A case as the gate sees it: counts of trials, and ratios within one process. No absolute times."""

    case: str
    schedule: Schedule
    mode: Mode
    restart: RestartMethod
    processes: int
    threads: int
    users: int
    runtime: str
    backend: BackendName
    verdict: VerdictName
    reason: str
    made: int
    """All trials."""
    trials: int
    """The trials that count: the effective ones (reloads, where the scenario restarts by reload)."""
    bad_trials: int
    """Those of them with a race of any class."""
    bad: dict[str, int]
    """Those of them with a race of each class: hang, failed-request, wrong-state, duplicate-init."""
    dropped: int
    """All trials with a dropped request."""
    cold: int
    """Cold trials (and reloads), whose initialisation is compared."""
    lazy: dict[str, int]
    """In how many of those each piece of initialisation ran inside a request, by `kind name`."""
    lazy_in_request: int
    """The most pieces in one trial."""
    first_over_warm: tuple[float, ...]
    """Latency of the first request to a cold process over that of a warm one: one ratio for each cold start."""


class Baseline(Record, frozen=True):
    """The stored counts of a run, to compare later runs with."""

    schema_version: Literal[1]
    name: str
    run: str
    made: str
    """UTC, ISO 8601."""
    environment: dict[str, Any]
    cases: tuple[CaseCounts, ...]

    def __str__(self) -> str:
        return f"baseline {self.name} of {self.made[:10]} (run {self.run})"

    @property
    def by_case(self) -> Mapping[str, CaseCounts]:
        return {counts.case: counts for counts in self.cases}


def baseline_path(name: str, results: Path) -> Path:
    """The file of a baseline. Raises BadInput: the name is no file name."""
    if not _NAME.match(name):
        raise BadInput(f"baseline {name!r}: expected letters, digits, '.', '_' and '-'")
    return results / BASELINES / f"{name}.json"


def write_baseline(baseline: Baseline, results: Path) -> Path:
    """Store a baseline, whole or not at all: its path. Raises BadInput."""
    path = baseline_path(baseline.name, results)
    return write_whole(
        path, msgspec.json.format(msgspec.json.encode(baseline), indent=1) + b"\n", "the baseline", shared=True
    )


def read_baseline(name: str, results: Path) -> Baseline:
    """A stored baseline. Raises BadInput: there is none of that name, or another version of the harness wrote it."""
    path = baseline_path(name, results)
    if not path.is_file():
        known = sorted(stored.stem for stored in path.parent.glob("*.json"))
        there = f"there are: {', '.join(known)}" if known else "there is none yet"
        raise BadInput(
            f"{path}: there is no such baseline{nearest(name, known)} ({there}); "
            f"`harness baseline SCENARIO --name {name}` makes one"
        )
    again = f"make it again: `harness baseline SCENARIO --name {name}`"
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (OSError, UnicodeDecodeError, msgspec.DecodeError) as error:
        raise BadInput(f"{path}: no baseline of this version of the harness: {error}; {again}") from error
