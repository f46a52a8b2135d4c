"""Two stored runs, case by case: what got worse, what got better, and whether chance alone could have done it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.report.console import judged, print_plain, verdict_text
from harness.result import CaseResult, RunResult

Judgement = Literal["worse", "better", "same", "unknown", "added", "gone"]

# Of two runs that do not differ, this share would be called different (over all cases: Bonferroni).
FAMILY_WISE_ERROR = 0.01
_RANKS = {"clean": 0, "hazard": 1, "race": 2, "broken": 3}
_COLOURS = {"worse": "bold red", "better": "green"}


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
    old, new = ({each.case: each for each in run.cases} for run in (before, after))
    common = [name for name in old if name in new]
    alpha = FAMILY_WISE_ERROR / max(1, len(common))
    changes = [_change(old[name], new[name], alpha) for name in common]
    changes += [Change(name, "gone", ("only in the first run",), before=old[name]) for name in old if name not in new]
    changes += [Change(name, "added", ("only in the second run",), after=new[name]) for name in new if name not in old]
    return changes


def chance(bad_before: int, before: int, bad_after: int, after: int) -> float:
    """How probable so unequal rates are if nothing has changed: Fisher's exact test, two-sided."""
    if not before or not after:
        return 1.0
    from scipy.stats import fisher_exact  # noqa: PLC0415 - half a second that only this command should cost

    table = [[bad_before, before - bad_before], [bad_after, after - bad_after]]
    return float(fisher_exact(table).pvalue)


def _change(before: CaseResult, after: CaseResult, alpha: float) -> Change:
    notes = tuple(_other_setup(before, after))
    if "inconclusive" in (before.verdict, after.verdict):
        judgement: Judgement = "same" if before.verdict == after.verdict else "unknown"
        which = "both runs" if judgement == "same" else "the first run" if before.verdict == "inconclusive" else ""
        if which:
            return Change(before.case, judgement, (f"{which} proved nothing", *notes), before, after)
        return Change(before.case, "worse", (f"proves nothing any more: {after.reason}", *notes), before, after)
    verdicts = [*_verdicts(before, after)]
    found = [*verdicts, *_rates(before, after, alpha), *_hazards(before, after, alpha)]
    # Another verdict says more than rates and hazards do.
    judgements = {each for each, _ in verdicts} - {"same"} or {each for each, _ in found}
    judgement = "worse" if "worse" in judgements else "better" if "better" in judgements else "same"
    if before.met and not after.met:
        found.append(("same", "no longer as its scenario expects"))
    return Change(before.case, judgement, (*(text for _, text in found), *notes), before, after)


def _verdicts(before: CaseResult, after: CaseResult) -> Iterator[tuple[Judgement, str]]:
    if verdict_text(before) == verdict_text(after):
        return
    one, other = _RANKS[before.verdict], _RANKS[after.verdict]
    judgement: Judgement = "worse" if other > one else "better" if other < one else "same"
    yield judgement, f"{verdict_text(before)} became {verdict_text(after)}"


def _rates(before: CaseResult, after: CaseResult, alpha: float) -> Iterator[tuple[Judgement, str]]:
    was, now = (before.bad_trials, judged(before)), (after.bad_trials, judged(after))
    if not was[1] or not now[1] or was == now or not (was[0] or now[0]):
        return
    probability = chance(*was, *now)
    told = f"bad in {was[0]} of {was[1]} trials, then in {now[0]} of {now[1]} (p = {_probability(probability)})"
    if probability > alpha:
        yield "same", f"{told}: chance alone could do that"
    else:
        yield "worse" if now[0] / now[1] > was[0] / was[1] else "better", told


def _hazards(before: CaseResult, after: CaseResult, alpha: float) -> Iterator[tuple[Judgement, str]]:
    """Kinds of initialisation that are inside requests in one of the runs only."""
    was, now = ({each.kind: each.count for each in run.hazards} for run in (before, after))
    if not before.cold_trials or not after.cold_trials:
        return
    for kind in sorted(was.keys() ^ now.keys()):
        # At most once a trial: how often in a trial is not what is asked.
        counts = min(was.get(kind, 0), before.cold_trials), min(now.get(kind, 0), after.cold_trials)
        sure = chance(counts[0], before.cold_trials, counts[1], after.cold_trials) <= alpha
        judgement: Judgement = "same" if not sure else "worse" if kind in now else "better"
        what = "came" if kind in now else "went"
        times = now.get(kind, was.get(kind, 0))
        yield judgement, f"hazard {what}: {kind} inside requests ({times} times{'' if sure else ', may be chance'})"


def _other_setup(before: CaseResult, after: CaseResult) -> Iterator[str]:
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


def _probability(value: float) -> str:
    return f"{value:.2g}" if value >= 0.0001 else "less than 0.0001"


def print_comparison(console: Console, changes: Sequence[Change], before: str, after: str) -> None:
    """The table, then the sentences of every case that is not the same."""
    table = Table("case", "was", "is", title=f"{before} against {after}")
    table.add_column("bad", justify="right")
    table.add_column("")
    for each in changes:
        colour = _COLOURS.get(each.judgement)
        table.add_row(
            escape(each.case),
            verdict_text(each.before) if each.before else "-",
            verdict_text(each.after) if each.after else "-",
            f"{_bad(each.before)} -> {_bad(each.after)}",
            f"[{colour}]{each.judgement}[/]" if colour else each.judgement,
        )
    console.print(table)
    for each in changes:
        if each.sentences and each.judgement not in ("added", "gone"):
            print_plain(console, f"{each.case}: {each.judgement}")
            for sentence in each.sentences:
                print_plain(console, f"  {sentence}")
    print_plain(console, summary(changes))


def summary(changes: Sequence[Change]) -> str:
    """One sentence: `1 case is worse, 2 are better, 5 are the same`."""
    counts = [
        (name, sum(each.judgement == name for each in changes)) for name in ("worse", "better", "same", "unknown")
    ]
    told = ", ".join(f"{count} {name}" for name, count in counts if count)
    alone = sum(each.judgement in ("added", "gone") for each in changes)
    return f"{told or 'nothing to compare'}{f'; {alone} in one of the runs only' if alone else ''}"


def _bad(case: CaseResult | None) -> str:
    return f"{case.bad_trials}/{judged(case)}" if case else "-"
