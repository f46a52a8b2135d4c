"""What a whole run has come to: a title and a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.bench.records import Bench
from harness.records import VerdictName
from harness.report.sentences import VERDICT_ORDER, case_name
from harness.result import CaseResult, RunResult

_SIGNS = {"good": "\u2713", "bad": "\u2717", "open": "?", "plain": ""}
_NAMES: dict[VerdictName, str] = {"race": "a race", "broken": "a broken site", "hazard": "a hazard", "clean": "nothing"}
# Cases that the sentence names; a longer one is no headline any more, and the table has them all.
_NAMED = 3
_INTERRUPTED = "The run was interrupted; this is what it kept. "


@dataclass(frozen=True)
class Headline:
    """What a run has come to, before anything else is said."""

    level: Literal["good", "bad", "open", "plain"]
    title: str
    sentence: str

    @property
    def sign(self) -> str:
        """The level for those who do not see the colour."""
        return _SIGNS[self.level]


def headline(result: RunResult) -> Headline:
    """The verdict of a whole run."""
    cases = result.cases
    unmet = [case for case in cases if not case.met]
    contradicted = [case for case in unmet if case.verdict != "inconclusive"]
    skipped = f" {len(result.skipped)} could not be run here." if result.skipped else ""
    interrupted = _INTERRUPTED if result.status != "complete" else ""
    if not cases:
        return Headline("open", "Nothing was run", f"{interrupted}{skipped}".strip())
    if contradicted:
        names = ", ".join(
            f"{case_name(case)} ({case.hosting.mode}): {case.verdict_text}" for case in contradicted[:_NAMED]
        )
        more = f", and {len(contradicted) - _NAMED} more" if len(contradicted) > _NAMED else ""
        return Headline("bad", _contradiction(contradicted, cases), f"{interrupted}{names}{more}.{skipped}")
    if unmet:
        title = f"{len(unmet)} of {_count(cases)} inconclusive"
        return Headline("open", title, f"{interrupted}{unmet[0].reason}.{skipped}")
    if interrupted:
        return Headline("open", "Not finished", f"{interrupted}{skipped}".strip())
    if any(case.expected for case in cases):
        title = f"All {_count(cases)} as expected" if len(cases) > 1 else "The one case is as expected"
    else:
        title = f"No race in {_count(cases)}"
    return Headline("good", title, f"{_bound(cases)}{skipped}".strip())


def bench_headline(bench: Bench) -> Headline:
    """What the restarts cost. A bench run has no verdict: the gate compares it."""
    measured = [(cell, cell.summary) for cell in bench.cells if cell.summary is not None]
    interrupted = _INTERRUPTED if bench.status != "complete" else ""
    if not measured:
        notes = "; ".join(cell.note for cell in bench.cells if cell.note)
        return Headline("open", "Nothing was measured", interrupted + notes)
    lost = sum(count for _, summary in measured for name, count in summary.outcomes.items() if name != "ok")
    requests = sum(summary.requests for _, summary in measured)
    restarts = sum(summary.restarts for _, summary in measured)
    losses = (
        f"{interrupted}{restarts} restarts under {bench.rate:g} requests/s: "
        f"{lost} of {requests} requests got no good answer."
    )
    never = [cell.name for cell, summary in measured if summary.without_good_ms is None]
    if never:
        return Headline("plain", f"No good answer came after a restart of {', '.join(never)}", losses)
    gaps = sorted((summary.without_good_ms or 0.0, cell.name) for cell, summary in measured)
    (best, first), (worst, last) = gaps[0], gaps[-1]
    if len(gaps) == 1:
        return Headline("plain", f"A restart leaves users {best:.0f} ms without a good answer", losses)
    title = f"A restart leaves users {best:.0f} to {worst:.0f} ms without a good answer"
    return Headline("plain", title, f"Least: {first}. Most: {last}. Medians over the restarts of each cell. {losses}")


def _contradiction(contradicted: Sequence[CaseResult], cases: Sequence[CaseResult]) -> str:
    if any(case.expected for case in contradicted):
        return f"{len(contradicted)} of {_count(cases)} not as expected"
    verdicts = {case.verdict for case in contradicted}
    what = " and ".join(_NAMES[name] for name in VERDICT_ORDER if name in verdicts)
    return f"{what[0].upper()}{what[1:]} in {len(contradicted)} of {_count(cases)}"


def _bound(cases: Sequence[CaseResult]) -> str:
    """What a run in which all is well leaves possible."""
    bounds = [case.upper_bound for case in cases if case.verdict in ("clean", "hazard") and case.upper_bound]
    races = sum(case.verdict == "race" for case in cases)
    sentences = [f"{races} race{'s' * (races != 1)}, as declared."] if races else []
    if bounds:
        sentences.append(
            f"Where no race was seen, at most {100 * max(bounds):.1f} % of cold starts can still be bad, "
            f"at 95 % confidence: more trials lower that."
        )
    return " ".join(sentences)


def _count(cases: Sequence[CaseResult]) -> str:
    return f"{len(cases)} case{'s' * (len(cases) != 1)}"
