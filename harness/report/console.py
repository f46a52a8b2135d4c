"""Results on a terminal: progress while a run goes on, then the table, and what was found in each case."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from harness.bench.records import Bench
from harness.bench.table import tables, warnings
from harness.cases.case import Case
from harness.errors import printable
from harness.report.sentences import (
    case_name,
    conclusion,
    evidence_tail,
    expected_text,
    hosting_text,
    main_findings,
    outcomes_text,
    seen_text,
)
from harness.result import CaseResult, Hazard, RunResult
from harness.verdict import Tally

_COLOURS = {"clean": "green", "hazard": "yellow", "race": "red", "broken": "magenta", "inconclusive": "cyan"}
# Without a terminal a long case reports this often: CI services end a job that writes nothing for ten minutes.
QUIET_SECONDS = 60.0
# What the table of a run needs when no terminal says how wide it is; CI logs fold or scroll at more.
LOG_WIDTH = 130
# What a line can name and still be read; result.json has all of them.
_MOST_HAZARDS = 8
_MOST_NAMES = 4


def say(text: str) -> None:
    """Progress and notes go to standard error: standard output is for results."""
    click.echo(printable(text), err=True)


def print_plain(console: Console, text: str) -> None:
    """Print text without markup or wrapping: a path that is wrapped cannot be copied."""
    console.print(printable(text), markup=False, highlight=False, soft_wrap=True)


def open_console(*, stderr: bool = False) -> Console:
    """A console that is wide enough for a table where no terminal says how wide it is."""
    console = _Console(stderr=stderr)
    return console if console.is_terminal else _Console(stderr=stderr, width=max(console.width, LOG_WIDTH))


class _Console(Console):
    """Rich's own ends the program with exit code 1 where its output's reader has gone."""

    def on_broken_pipe(self) -> None:
        self.quiet = True
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))


@dataclass
class _CaseProgress:
    """A case that is under way."""

    number: str
    began: float
    reported: float
    tally: Tally = field(default_factory=Tally)


class ProgressWatcher:
    """A progress bar on a terminal; elsewhere a line for each case, and one a minute in between. A context manager."""

    def __init__(self, console: Console, cases: Sequence[Case], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._cases = len(cases)
        self._live: dict[str, _CaseProgress] = {}
        self._begun = self._before = self._effective = self._bad = 0
        self._progress = Progress(
            # Only the name gives way when the terminal is narrow.
            TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
            BarColumn(bar_width=14),
            TextColumn("{task.completed}/{task.total}", table_column=Column(no_wrap=True)),
            TextColumn("effective {task.fields[effective]} bad {task.fields[bad]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            expand=True,
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        total = sum(case.trials for case in cases)
        self._task = self._progress.add_task("trials", total=total, effective=0, bad=0)

    def __enter__(self) -> ProgressWatcher:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def case_begins(self, case: Case) -> None:
        self._begun += 1
        begun = self._clock()
        self._live[case.id] = _CaseProgress(f"{self._begun}/{self._cases}", begun, reported=begun)
        # Cases that take turns differ in their schedule alone, which is the last part of the id.
        name = case.id if len(self._live) == 1 else case.id.rpartition("::")[0]
        self._progress.update(
            self._task, description=f"{self._begun}/{self._cases} {escape(printable(name.removesuffix('::natural')))}"
        )

    def case_goes_on(self, case: Case, tally: Tally) -> None:
        live = self._live[case.id]
        live.tally = tally
        self._show()
        if not self._console.is_terminal and self._clock() - live.reported >= QUIET_SECONDS:
            live.reported = self._clock()
            print_plain(
                self._console,
                f"[{live.number}] {case.id}: {tally.trials} of {case.trials} trials, "
                f"{tally.judged} effective, {tally.bad} bad, {live.reported - live.began:.0f} s so far",
            )

    def _show(self) -> None:
        self._progress.update(
            self._task,
            completed=self._before + sum(live.tally.trials for live in self._live.values()),
            effective=self._effective + sum(live.tally.judged for live in self._live.values()),
            bad=self._bad + sum(live.tally.bad for live in self._live.values()),
        )

    def case_ends(self, case: Case, result: CaseResult) -> None:
        live = self._live.pop(case.id)
        # A race that is settled early counts in full: the bar shows what is left to do.
        self._before += case.trials
        self._effective += result.effective_trials
        self._bad += result.bad_trials
        self._show()
        mark = "met" if result.met else "NOT MET"
        print_plain(
            self._console,
            f"[{live.number}] {case.id}: {result.verdict_text} in {result.trials} trials, "
            f"{result.duration_s:.0f} s, {mark}" + ("; it leaves processes behind" if result.left_behind else ""),
        )

    def case_skipped(self, case: Case, reason: str) -> None:
        self._begun += 1
        self._before += case.trials
        self._show()
        print_plain(self._console, f"[{self._begun}/{self._cases}] {case.id}: skipped: {reason}")


def print_result(
    console: Console, result: RunResult, *, evidence: bool = True, cases: Sequence[CaseResult] | None = None
) -> None:
    """The table, then each race, hazard and broken case (of `cases`, or all) in sentences with its evidence."""
    table = Table(title=f"run {result.run}" + (" (interrupted)" if result.status != "complete" else ""))
    for name in ("case", "hosting", "trials", "effective", "outcomes", "verdict", "expected", "met"):
        table.add_column(name, justify="right" if name in ("trials", "effective") else "left", overflow="fold")
    for case in result.cases:
        table.add_row(
            escape(case_name(case)),
            hosting_text(case),
            str(case.trials),
            f"{case.reload_trials} reloads" if case.restart == "reload" else str(case.effective_trials),
            outcomes_text(case),
            f"[{_COLOURS[case.verdict]}]{case.verdict_text}[/]",
            expected_text(case),
            "yes" if case.met else "[bold red]NO[/]",
        )
    for skipped in result.skipped:
        table.add_row(escape(printable(skipped.case)), "", "", "", "", "skipped", "", "")
    console.print(table)
    for case in result.cases if cases is None else cases:
        for line in case_lines(case, evidence=evidence):
            print_plain(console, line)
    for skipped in result.skipped:
        print_plain(console, f"{skipped.case}: skipped: {skipped.reason}")
    if result.error is not None:
        print_plain(console, f"The run ended before its end: {result.error.sentence}")


def case_lines(case: CaseResult, *, evidence: bool = True) -> list[str]:
    """A case in sentences: its findings with their evidence, what the verdict rests on, and what is not met."""
    title = f"{case.case}: {case.verdict_text}"
    lines = [f"{title}: {conclusion(case)}" if case.verdict == "race" else title]
    for finding in main_findings(case):
        lines.append(f"  {finding.outcome}: {finding.summary} ({seen_text(finding)})")
        lines += [f"    {sentence}" for sentence in finding.story]
        if evidence:
            lines += [f"    | {line}" for line in evidence_tail(finding)]
    if case.verdict not in ("race", "broken"):
        lines.append(f"  {conclusion(case)}")
    elif case.verdict == "broken" and case.left_behind:
        lines.append(f"  {case.left_behind}")
    awaited = [hazard for hazard in case.hazards if hazard.max_waiters][:_MOST_HAZARDS]
    if awaited and case.verdict in ("hazard", "race"):
        lines.append("  still lazy, inside requests: " + "; ".join(map(_hazard_text, awaited)))
    return [
        *lines,
        *(f"  note: {sentence}" for sentence in case.lost),
        *(f"  NOT MET: {reason}" for reason in case.unmet),
    ]


def print_bench(console: Console, bench: Bench) -> None:
    """The tables of a bench run, and what a reader of them has to know."""
    for text_table in tables(bench):
        if not text_table.rows:
            continue
        table = Table(title=text_table.title, title_justify="left")
        for number, heading in enumerate(text_table.headings):
            table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
        for row in text_table.rows:
            table.add_row(*row)
        console.print(table)
    for text in warnings(bench):
        print_plain(console, text)


def _hazard_text(hazard: Hazard) -> str:
    names = ", ".join(hazard.names[:_MOST_NAMES]) + (", …" if len(hazard.names) > _MOST_NAMES else "")
    return (
        f"{hazard.kind}{f' ({names})' if names else ''} up to {hazard.max_ms:.1f} ms "
        f"with {hazard.max_waiters} other request{'s' * (hazard.max_waiters != 1)} in the process"
    )
