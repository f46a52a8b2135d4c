"""What the gate compares: counts of a case and ratios within its runs, stored in `results/baselines/NAME.json`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness.cases.reading import decode, entries, read_bytes, shown
from harness.errors import BadInput, nearest, quoted, shortened
from harness.records import BackendName, Mode, Record, RestartMethod, Schedule, VerdictName
from harness.store.runs import write_whole

# The form of the file; another number makes the stored ones unreadable.
BASELINE_VERSION: Literal[1] = 1
# Of trials, and of pieces of work in one: far more than a machine makes in a year.
MOST_COUNTED = 10**9
BASELINES = Path("baselines")
"""In the results directory. The only part of it that is meant to be committed."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")  # a name of a file has at most 255 bytes


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

    def __post_init__(self) -> None:
        """Raises ValueError: a file has counts that no run can have."""
        parts = [*self.bad.values(), *self.lazy.values(), self.dropped, self.lazy_in_request, self.made]
        counts = [self.trials, self.bad_trials, self.cold, *parts]
        if min(counts) < 0 or max(counts) > MOST_COUNTED or self.bad_trials > self.trials:
            raise ValueError(f"the counts of {shortened(self.case)} contradict each other")
        if any(part > self.trials for part in self.bad.values()) or any(
            part > self.cold for part in self.lazy.values()
        ):
            raise ValueError(f"the counts of {shortened(self.case)} contradict each other")
        if not all(0 < ratio < MOST_COUNTED for ratio in self.first_over_warm):
            raise ValueError(f"a ratio of {shortened(self.case)} is none")


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


_decoder = msgspec.json.Decoder(Baseline)


def baseline_path(name: str, results: Path) -> Path:
    """The file of a baseline. Raises BadInput: the name is no file name."""
    if not _NAME.fullmatch(name):
        raise BadInput(f"baseline {quoted(name)}: expected letters, digits, '.', '_' and '-'")
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
    if not os.path.lexists(path):
        known = [stored.stem for stored in entries(path.parent) if stored.suffix == ".json"]
        there = f"there are: {shortened(', '.join(known), 600)}" if known else "there is none yet"
        raise BadInput(
            f"{shown(path)}: there is no such baseline{nearest(name, known)} ({there}); "
            f"`harness baseline SCENARIO --name {name}` makes one"
        )
    again = f"make it again: `harness baseline SCENARIO --name {name}`"
    try:
        return decode(_decoder, read_bytes(path), shown(path), "a baseline of this version of the harness")
    except BadInput as error:
        raise BadInput(f"{error}; {again}") from None
