"""Results on a terminal: progress while a run goes on, then the table and one sentence a race."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import TracebackType

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column, Table

from harness.cases.case import Case
from harness.result import CaseResult, FindingResult, Hazard, RunResult, SkippedCase
from harness.verdict import Tally

_COLOURS = {"clean": "green", "hazard": "yellow", "race": "red", "broken": "magenta", "inconclusive": "cyan"}
EVIDENCE_LINES = 6
# Where no terminal shows a bar, a long case says this often that it goes on: a silent log looks like a hung job.
QUIET_SECONDS = 60.0
LOG_WIDTH = 130


def say(text: str) -> None:
    """To standard error: what goes on, while standard output is for what came of it."""
    click.echo(text, err=True)


def print_plain(console: Console, text: str) -> None:
    """As it is, however long: a path that is wrapped cannot be copied."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def open_console(*, stderr: bool = False) -> Console:
    """A console that does not fold its tables to 80 columns where there is no terminal to say how wide it is."""
    console = Console(stderr=stderr)
    return console if console.is_terminal else Console(stderr=stderr, width=max(console.width, LOG_WIDTH))


@dataclass
class _Live:
    """A case that is under way."""

    number: str
    began: float
    told: float
    trials: int = 0
    judged: int = 0
    bad: int = 0


class ProgressWatcher:
    """A progress bar on a terminal; elsewhere a line a case, and one a minute of a long one. A context manager."""

    def __init__(self, console: Console, cases: Sequence[Case], clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._cases = len(cases)
        self._live: dict[str, _Live] = {}
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def case_begins(self, case: Case) -> None:
        self._begun += 1
        begun = self._clock()
        self._live[case.id] = _Live(f"{self._begun}/{self._cases}", begun, told=begun)
        # Those that take turns are alike but for their schedule, which stands last.
        name = case.id if len(self._live) == 1 else case.id.rpartition("::")[0]
        self._progress.update(
            self._task, description=f"{self._begun}/{self._cases} {escape(name.removesuffix('::natural'))}"
        )

    def case_goes_on(self, case: Case, tally: Tally) -> None:
        live = self._live[case.id]
        live.trials, live.judged, live.bad = tally.trials, tally.judged, tally.bad
        self._show()
        if not self._console.is_terminal and self._clock() - live.told >= QUIET_SECONDS:
            live.told = self._clock()
            self._print(
                f"[{live.number}] {case.id}: {tally.trials} of {case.trials} trials, "
                f"{tally.judged} effective, {tally.bad} bad, {live.told - live.began:.0f} s so far"
            )

    def _show(self) -> None:
        self._progress.update(
            self._task,
            completed=self._before + sum(each.trials for each in self._live.values()),
            effective=self._effective + sum(each.judged for each in self._live.values()),
            bad=self._bad + sum(each.bad for each in self._live.values()),
        )

    def case_ends(self, case: Case, result: CaseResult) -> None:
        live = self._live.pop(case.id)
        # What a settled race leaves undone is done as far as the time left is concerned.
        self._before += case.trials
        self._effective += result.effective_trials
        self._bad += result.bad_trials
        self._show()
        mark = "met" if result.met else "NOT MET"
        self._print(
            f"[{live.number}] {case.id}: {verdict_text(result)} in {result.trials} trials, "
            f"{result.duration_s:.0f} s, {mark}"
        )

    def case_skipped(self, case: Case, reason: str) -> None:
        self._begun += 1
        self._before += case.trials
        self._show()
        self._print(f"[{self._begun}/{self._cases}] {case.id}: skipped: {reason}")

    def _print(self, text: str) -> None:
        print_plain(self._console, text)


def verdict_text(case: CaseResult) -> str:
    """`race (duplicate-init)`."""
    kind = case.race_class or case.broken_class
    return f"{case.verdict} ({kind})" if kind else case.verdict


def outcomes_text(case: CaseResult) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(case.outcomes.items(), key=lambda each: -each[1]))


def print_result(
    console: Console, result: RunResult, *, evidence: bool = True, told: Sequence[CaseResult] | None = None
) -> None:
    """The table, then a sentence with its evidence for each race, broken case and hazard (of `told`, or all)."""
    table = Table(title=f"run {result.run}" + (" (interrupted)" if result.status != "complete" else ""))
    for name, justify in (
        ("case", "left"),
        ("hosting", "left"),
        ("trials", "right"),
        ("effective", "right"),
        ("outcomes", "left"),
        ("verdict", "left"),
        ("expected", "left"),
        ("met", "left"),
    ):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    for case in result.cases:
        table.add_row(
            escape(f"{case.scenario} {case.script}" + ("" if case.schedule == "natural" else f" {case.schedule}")),
            hosting_text(case),
            str(case.trials),
            str(case.effective_trials) if case.restart != "reload" else f"{case.reload_trials} reloads",
            outcomes_text(case),
            f"[{_COLOURS[case.verdict]}]{verdict_text(case)}[/]",
            (case.expected or "-").replace("|", " or "),
            "yes" if case.met else "[bold red]NO[/]",
        )
    for skipped in result.skipped:
        table.add_row(escape(skipped.case), "", "", "", "", "skipped", "", "")
    console.print(table)
    for case in result.cases if told is None else told:
        for line in story(case, evidence=evidence):
            print_plain(console, line)
    for each in result.skipped:
        print_plain(console, _skipped_text(each))


def hosting_text(case: CaseResult) -> str:
    hosting = case.hosting
    mpm = f" {hosting.mpm}" if hosting.mode == "embedded" else ""
    return f"{hosting.mode}{mpm} {hosting.processes}x{hosting.threads}"


def story(case: CaseResult, *, evidence: bool = True) -> list[str]:
    """A case in sentences: what was found, the evidence, and what a clean verdict does and does not say."""
    lines = [f"{case.case}: {verdict_text(case)}"]
    if case.verdict == "race":
        lines[0] += f": {case.bad_trials} of {judged(case)} trials, none of the controls"
        if case.standing == "candidate":
            lines[0] += "; a candidate: only what Apache shows counts (--confirm)"
    for finding in shown(case):
        where = f"trial {finding.trial}, " if finding.trial is not None else ""
        lines.append(f"  {finding.outcome}: {finding.summary} ({where}seen {finding.count} times)")
        lines += [f"    {sentence}" for sentence in finding.story]
        if evidence:
            lines += [f"    | {line.rstrip()}" for line in evidence_lines(finding)]
    if case.verdict in ("clean", "hazard") and case.upper_bound is not None:
        lines.append(
            f"  no race in {judged(case)} trials: "
            f"at 95 % confidence at most {case.upper_bound:.2%} of cold starts are bad"
        )
    if case.hazards and case.verdict in ("hazard", "race"):
        waited = [each for each in case.hazards if each.max_waiters]
        if waited:
            lines.append("  still lazy, inside requests: " + "; ".join(_hazard_text(each) for each in waited[:8]))
    if case.verdict == "inconclusive":
        lines.append(f"  {case.reason}")
    lines += [f"  NOT MET: {each}" for each in case.unmet]
    return lines


def evidence_lines(finding: FindingResult) -> list[str]:
    """The end of a traceback is enough; of a hang all stacks are needed, for they tell only together."""
    return finding.evidence if finding.outcome == "hang" else finding.evidence[-EVIDENCE_LINES:]


def _hazard_text(hazard: Hazard) -> str:
    names = ", ".join(hazard.names[:4]) + (", …" if len(hazard.names) > 4 else "")
    return (
        f"{hazard.kind}{f' ({names})' if names else ''} up to {hazard.max_ms:.1f} ms "
        f"with {hazard.max_waiters} other requests in the process"
    )


def shown(case: CaseResult) -> list[FindingResult]:
    if case.verdict == "broken":
        return case.findings[:1]
    grave = [each for each in case.findings if each.race_class == case.race_class and case.race_class]
    others = [each for each in case.findings if each not in grave]
    return (grave + others)[:4]


def judged(case: CaseResult) -> int:
    return case.reload_trials if case.restart == "reload" else case.effective_trials


def _skipped_text(skipped: SkippedCase) -> str:
    return f"{skipped.case}: skipped: {skipped.reason}"
