"""Two stored runs, case by case: what got worse, what got better, and whether chance alone could have done it.

Pure functions from two results to sentences. Nothing is measured here: `harness gate` does that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.gate.statistics import FAMILY_ERROR, fisher_two_sided
from harness.result import CaseResult, RunResult

Judgement = Literal["worse", "better", "same", "unknown", "added", "gone"]
Difference = tuple[Judgement, str]
"""One respect in which two results differ: which way, and a sentence."""

_RANKS = {"clean": 0, "hazard": 1, "race": 2, "broken": 3}


@dataclass(frozen=True)
class Change:
    """One case in two runs."""

    case: str
    judgement: Judgement
    sentences: tuple[str, ...]
    before: CaseResult | None = None
    after: CaseResult | None = None


def compare(before: RunResult, after: RunResult) -> list[Change]:
    """Every case of both runs. Natural and perturbed cases are different cases, so their rates never mix."""
    old, new = ({case.case: case for case in run.cases} for run in (before, after))
    common = [name for name in old if name in new]
    # The error is of the whole comparison: it is divided among its cases (Bonferroni).
    alpha = FAMILY_ERROR / max(1, len(common))
    changes = [_change(old[name], new[name], alpha) for name in common]
    changes += [Change(name, "gone", ("only in the first run",), before=old[name]) for name in old if name not in new]
    changes += [Change(name, "added", ("only in the second run",), after=new[name]) for name in new if name not in old]
    return changes


def summary(changes: Sequence[Change]) -> str:
    """The counts of each judgement in one line: `1 worse, 2 better, 5 same`."""
    counts = [
        (name, sum(change.judgement == name for change in changes)) for name in ("worse", "better", "same", "unknown")
    ]
    common = ", ".join(f"{count} {name}" for name, count in counts if count)
    alone = sum(change.judgement in ("added", "gone") for change in changes)
    return f"{common or 'nothing to compare'}{f'; {alone} in one of the runs only' if alone else ''}"


def _change(before: CaseResult, after: CaseResult, alpha: float) -> Change:
    notes = tuple(_setup_notes(before, after))
    if "inconclusive" in (before.verdict, after.verdict):
        judgement: Judgement = "same" if before.verdict == after.verdict else "unknown"
        which = "both runs" if judgement == "same" else "the first run" if before.verdict == "inconclusive" else ""
        if which:
            return Change(before.case, judgement, (f"{which} proved nothing", *notes), before, after)
        return Change(before.case, "worse", (f"proves nothing any more: {after.reason}", *notes), before, after)
    verdicts = [*_verdicts(before, after)]
    differences = [*verdicts, *_rates(before, after, alpha), *_hazards(before, after, alpha)]
    # Another verdict says more than rates and hazards do.
    judgements = {judged for judged, _ in verdicts} - {"same"} or {judged for judged, _ in differences}
    judgement = "worse" if "worse" in judgements else "better" if "better" in judgements else "same"
    if before.met and not after.met:
        differences.append(("same", "no longer as its scenario expects"))
    return Change(before.case, judgement, (*(sentence for _, sentence in differences), *notes), before, after)


def _verdicts(before: CaseResult, after: CaseResult) -> Iterator[Difference]:
    if before.verdict_text == after.verdict_text:
        return
    one, other = _RANKS[before.verdict], _RANKS[after.verdict]
    judgement: Judgement = "worse" if other > one else "better" if other < one else "same"
    yield judgement, f"{before.verdict_text} became {after.verdict_text}"


def _rates(before: CaseResult, after: CaseResult, alpha: float) -> Iterator[Difference]:
    was, of_old = before.bad_trials, before.judged_trials
    now, of_new = after.bad_trials, after.judged_trials
    if not of_old or not of_new or (was, of_old) == (now, of_new) or not (was or now):
        return
    p = fisher_two_sided(was, of_old, now, of_new)
    probability = f"{p:.2g}" if p >= 0.0001 else "less than 0.0001"
    sentence = f"bad in {was} of {of_old} trials, then in {now} of {of_new} (p = {probability})"
    if p > alpha:
        yield "same", f"{sentence}: chance alone could do that"
    else:
        yield "worse" if now / of_new > was / of_old else "better", sentence


def _hazards(before: CaseResult, after: CaseResult, alpha: float) -> Iterator[Difference]:
    """Kinds of initialisation that ran inside requests in one of the runs only."""
    was, now = ({hazard.kind: hazard.count for hazard in run.hazards} for run in (before, after))
    if not before.cold_trials or not after.cold_trials:
        return
    for kind in sorted(was.keys() ^ now.keys()):
        # Counted once a trial at most: the test asks in how many trials it ran, not how often.
        old, new = min(was.get(kind, 0), before.cold_trials), min(now.get(kind, 0), after.cold_trials)
        sure = fisher_two_sided(old, before.cold_trials, new, after.cold_trials) <= alpha
        judgement: Judgement = "same" if not sure else "worse" if kind in now else "better"
        what = "came" if kind in now else "went"
        times = now.get(kind, was.get(kind, 0))
        yield judgement, f"hazard {what}: {kind} inside requests ({times} times{'' if sure else ', may be chance'})"


def _setup_notes(before: CaseResult, after: CaseResult) -> Iterator[str]:
    pairs = {
        "runtime": (before.runtime, after.runtime),
        "backend": (before.backend, after.backend),
        "lane": (before.lane, after.lane),
        "restart": (before.restart, after.restart),
        "threads": (before.hosting.threads, after.hosting.threads),
        "processes": (before.hosting.processes, after.hosting.processes),
        "Django": (before.versions.get("django"), after.versions.get("django")),
        "Python": (before.versions.get("python"), after.versions.get("python")),
    }
    different = [f"{name} {one}, then {other}" for name, (one, other) in pairs.items() if one != other]
    if different:
        yield f"not the same set-up: {'; '.join(different)}"
