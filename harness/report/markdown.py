"""A run as Markdown that GitHub and GitLab show well: for a job's summary or a comment."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from harness.advice import advise
from harness.bench.records import Bench
from harness.bench.table import tables, warnings
from harness.report.bench_page import headline as bench_headline
from harness.report.console import (
    evidence_lines,
    hosting_text,
    judged,
    outcomes_text,
    shown,
    verdict_text,
)
from harness.report.html import headline, story
from harness.result import CaseResult, FindingResult, RunResult

_SIGNS = {"clean": "✅", "hazard": "⚠️", "race": "❌", "broken": "⛔", "inconclusive": "❔"}
_LEVELS = {"good": "✅", "bad": "❌", "open": "❔"}
# What Markdown or the HTML in it would take for its own. A mention (@) must not call anybody.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&])")
# GitHub cuts a summary at 1 MiB; a run with very many cases tells those first that matter.
MOST_STORIES = 60


def render(result: RunResult) -> str:
    """The summary of a run: verdict, table, and what was found, collapsed."""
    told = headline(result)
    lines = [f"## {_LEVELS[told.level]} {plain(told.title)}", ""]
    if told.sentence:
        lines += [plain(told.sentence), ""]
    lines += [f"Run `{_code(result.run)}`", ""]
    if result.cases:
        lines += [
            "| case | hosting | effective trials | bad | outcomes | verdict | expected | met |",
            "| --- | --- | ---: | ---: | --- | --- | --- | --- |",
            *map(_row, result.cases),
            "",
        ]
    interesting = [case for case in result.cases if not case.met or case.verdict in ("race", "broken")]
    for case in sorted(interesting, key=lambda each: each.met)[:MOST_STORIES]:
        lines += [*_story(case), ""]
    for each in result.skipped:
        lines += [f"- skipped: {plain(each.case)}: {plain(each.reason)}"]
    return "\n".join(lines).rstrip() + "\n"


def render_bench(bench: Bench) -> str:
    """The tables of a bench run."""
    lines = [f"## {plain(bench_headline(bench).title)}", "", plain(bench_headline(bench).sentence), ""]
    lines += [f"- {plain(each)}" for each in warnings(bench)] + [""]
    for each in tables(bench):
        if each.rows:
            lines += [f"**{plain(each.title)}**", "", _cells(each.headings)]
            lines += [_cells(("---", *["---:"] * (len(each.headings) - 1)), raw=True), *map(_cells, each.rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def _cells(cells: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(cells if raw else map(plain, cells)) + " |"


def _row(case: CaseResult) -> str:
    schedule = "" if case.schedule == "natural" else f" {case.schedule}"
    cells = (
        f"{plain(case.scenario)} **{plain(case.script)}**{schedule}",
        hosting_text(case),
        f"{judged(case)} of {case.trials}",
        str(case.bad_trials),
        outcomes_text(case) or "-",
        f"{_SIGNS[case.verdict]} {verdict_text(case)}",
        (case.expected or "-").replace("|", " or "),
        "yes" if case.met else "**NO**",
    )
    return _cells(cells, raw=True)


def _story(case: CaseResult) -> Iterator[str]:
    opened = "" if case.met else " open"
    title = f"{_SIGNS[case.verdict]} {_html(case.case)}: {verdict_text(case)}"
    yield f"<details{opened}><summary>{title}</summary>"
    yield ""
    for each in case.unmet:
        yield f"- **not met**: {plain(each)}"
    for finding in shown(case):
        yield from _finding(finding)
    for advice in advise(case):
        yield f"- **fix** ({plain(advice.about)}): {plain(advice.says)}"
    yield ""
    yield "</details>"


def _finding(finding: FindingResult) -> Iterator[str]:
    where = f"trial {finding.trial}, " if finding.trial is not None else ""
    times = f"{finding.count} time{'s' * (finding.count != 1)}"
    yield f"**{finding.outcome}** ({where}seen {times}): " + " ".join(map(plain, story(finding)))
    yield ""
    evidence = [line.rstrip() for line in evidence_lines(finding)]
    if evidence:
        fence = "`" * max(3, 1 + max((len(run) for line in evidence for run in re.findall("`+", line)), default=0))
        yield from (f"{fence}text", *evidence, fence, "")


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return text.replace("`", "'")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
