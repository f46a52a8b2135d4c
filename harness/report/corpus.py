"""The corpus: known races, each on a release that has it and on one that does not, and which verdicts they get."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.table import Table

from harness.cases.reading import is_file, shown
from harness.cases.scenario import CorpusRow, load_scenario
from harness.errors import BadInput
from harness.records import Schedule
from harness.result import CaseResult

Release = Literal["affected", "fixed"]


@dataclass(frozen=True)
class CorpusRace:
    """One known race, and the cases that ran for it."""

    name: str
    affected: tuple[CaseResult, ...]
    fixed: tuple[CaseResult, ...]

    @property
    def is_race(self) -> bool:
        """Is a race expected on the affected release? Some rows are there because they look like one and are none."""
        return any("race" in (case.expected or "").split("|") for case in self.affected)

    @property
    def detected(self) -> bool:
        return any(case.verdict == "race" for case in self.affected)

    @property
    def false_alarms(self) -> int:
        """Races reported on the fixed release, or in a row that is no race."""
        suspects = self.fixed if self.is_race else (*self.affected, *self.fixed)
        return sum(case.verdict == "race" for case in suspects)

    @property
    def correct(self) -> bool:
        """Is the verdict on the affected release the expected one in at least one schedule, and no false alarm?"""
        return any(case.met for case in self.affected) and not self.false_alarms and (self.detected == self.is_race)


def corpus_files(directory: Path) -> dict[Path, CorpusRow]:
    """The scenario files that belong to the corpus. Raises BadInput: there is none, or one is not valid."""
    try:
        paths = sorted(path for path in directory.rglob("*.toml") if is_file(path))
    except OSError as error:
        raise BadInput(f"{shown(directory)}: cannot be searched for scenarios: {error.strerror}") from None
    scenarios = ((path, load_scenario(path).corpus) for path in paths)
    rows = {path: row for path, row in scenarios if row is not None}
    if not rows:
        raise BadInput(f"{shown(directory)}: no scenario there belongs to the corpus (a [corpus] table names its row)")
    return rows


def rows_of(cases: Iterable[CaseResult], row_of: Mapping[str, CorpusRow]) -> list[CorpusRace]:
    """The rows that these cases make; `row_of` is by scenario."""
    rows: dict[str, dict[Release, list[CaseResult]]] = {}
    for case in cases:
        row = row_of[case.scenario]
        rows.setdefault(row.row, {"affected": [], "fixed": []})[row.release].append(case)
    return [CorpusRace(name, tuple(row["affected"]), tuple(row["fixed"])) for name, row in sorted(rows.items())]


def print_corpus(console: Console, rows: Sequence[CorpusRace]) -> None:
    """A line for each row, natural and perturbed apart, and the totals."""
    table = Table("row", "expected", "natural", "perturbed", "fixed release", "verdict", title="corpus")
    for row in rows:
        expected = " or ".join(dict.fromkeys(case.expected or "-" for case in row.affected))
        alarms = f"[bold red]{row.false_alarms} false alarms[/]" if row.false_alarms else _verdicts(row.fixed) or "-"
        table.add_row(
            row.name,
            expected.replace("|", " or "),
            _detection(row.affected, "natural"),
            _detection(row.affected, "perturbed"),
            alarms,
            "correct" if row.correct else "[bold red]WRONG[/]",
        )
    console.print(table)
    races = [row for row in rows if row.is_race]
    console.print(
        f"verdict correct {sum(row.correct for row in rows)}/{len(rows)}, "
        f"races found {sum(row.detected for row in races)}/{len(races)}, "
        f"false alarms {sum(row.false_alarms for row in rows)}",
        highlight=False,
    )
    sound = [case for row in rows for case in row.fixed]
    schedules: tuple[Schedule, ...] = ("natural", "perturbed")
    counts = {name: sum(case.effective_trials for case in sound if case.schedule == name) for name in schedules}
    parts = ", ".join(f"{count} {name}" for name, count in counts.items())
    bad = sum(case.bad_trials for case in sound)
    console.print(f"fixed releases: {bad} bad of {sum(counts.values())} effective trials ({parts})", highlight=False)


def _verdicts(cases: Iterable[CaseResult]) -> str:
    return ", ".join(dict.fromkeys(case.verdict for case in cases))


def _detection(cases: Sequence[CaseResult], schedule: Schedule) -> str:
    """The earliest detection among the cases of a schedule; without one, their verdicts and effective trials."""
    here = [case for case in cases if case.schedule == schedule]
    races = [case for case in here if case.verdict == "race"]
    if races:
        first = min(races, key=lambda case: case.first_bad_s or 0.0)
        bad = sum(case.bad_trials for case in races)
        trials = sum(case.effective_trials for case in races)
        return (
            f"{first.race_class}, {bad} of {trials}; first in trial {first.first_bad_trial}, {first.first_bad_s:.1f} s"
        )
    if not here:
        return "-"
    return f"{_verdicts(here)}, 0 of {sum(case.effective_trials for case in here)}"
