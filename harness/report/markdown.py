"""A run as Markdown that GitHub and GitLab show well: for a job's summary or a comment."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from harness.advice import advise
from harness.bench.records import Bench
from harness.bench.table import tables, warnings
from harness.errors import printable
from harness.report.headline import bench_headline, headline
from harness.report.sentences import (
    by_gravity,
    case_name,
    evidence_tail,
    expected_text,
    hosting_text,
    main_findings,
    outcomes_text,
    seen_text,
    story,
)
from harness.result import CaseResult, FindingResult, RunResult

_SIGNS = {"clean": "✅", "hazard": "⚠️", "race": "❌", "broken": "⛔", "inconclusive": "❔"}
_LEVELS = {"good": "✅", "bad": "❌", "open": "❔"}
# What Markdown or the HTML in it would take for its own. A mention (@) must not call anybody.
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~@&])")
# GitHub cuts a summary at 1 MiB: 60 cases leave 17 kB for each, and a case with all its evidence takes five.
MOST_STORIES = 60


def render(result: RunResult) -> str:
    """The summary of a run: verdict, table, and what was found, collapsed."""
    head = headline(result)
    lines = [f"## {_LEVELS[head.level]} {plain(head.title)}", ""]
    if head.sentence:
        lines += [plain(head.sentence), ""]
    name = result.run.replace("`", "'")
    lines += [f"Run `{name}`", ""]
    if result.cases:
        lines += [
            "| case | hosting | effective trials | bad | outcomes | verdict | expected | met |",
            "| --- | --- | ---: | ---: | --- | --- | --- | --- |",
            *map(_row, result.cases),
            "",
        ]
    notable = [case for case in by_gravity(result.cases) if not case.met or case.verdict in ("race", "broken")]
    for case in notable[:MOST_STORIES]:
        lines += [*_details(case), ""]
    lines += [f"- skipped: {plain(skipped.case)}: {plain(skipped.reason)}" for skipped in result.skipped]
    return printable("\n".join(lines).rstrip() + "\n")  # it may go to a terminal or the log of a CI service


def render_bench(bench: Bench) -> str:
    """The tables of a bench run."""
    head = bench_headline(bench)
    lines = [f"## {plain(head.title)}", "", plain(head.sentence), ""]
    lines += [f"- {plain(warning)}" for warning in warnings(bench)] + [""]
    for table in tables(bench):
        if table.rows:
            lines += [f"**{plain(table.title)}**", "", _cells(table.headings)]
            lines += [_cells(("---", *["---:"] * (len(table.headings) - 1)), raw=True), *map(_cells, table.rows), ""]
    return printable("\n".join(lines).rstrip() + "\n")  # it may go to a terminal or the log of a CI service


def _cells(cells: Sequence[str], *, raw: bool = False) -> str:
    return "| " + " | ".join(cells if raw else map(plain, cells)) + " |"


def _row(case: CaseResult) -> str:
    cells = (
        plain(case_name(case)),
        hosting_text(case),
        f"{case.judged_trials} of {case.trials}",
        str(case.bad_trials),
        outcomes_text(case) or "-",
        f"{_SIGNS[case.verdict]} {case.verdict_text}",
        expected_text(case),
        "yes" if case.met else "**NO**",
    )
    return _cells(cells, raw=True)


def _details(case: CaseResult) -> Iterator[str]:
    title = f"{_SIGNS[case.verdict]} {html.escape(case.case, quote=False)}: {case.verdict_text}"
    yield f"<details{'' if case.met else ' open'}><summary>{title}</summary>"
    yield ""
    for reason in case.unmet:
        yield f"- **not met**: {plain(reason)}"
    for finding in main_findings(case):
        yield from _finding(finding)
    for advice in advise(case):
        yield f"- **fix** ({plain(advice.about)}): {plain(advice.says)}"
    yield ""
    yield "</details>"


def _finding(finding: FindingResult) -> Iterator[str]:
    yield f"**{finding.outcome}** ({seen_text(finding)}): " + " ".join(map(plain, story(finding)))
    yield ""
    evidence = evidence_tail(finding)
    if evidence:
        runs = [len(ticks) for line in evidence for ticks in re.findall("`+", line)]
        fence = "`" * max(3, 1 + max(runs, default=0))
        yield from (f"{fence}text", *evidence, fence, "")


def plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
