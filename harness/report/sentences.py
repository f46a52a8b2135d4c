"""What a terminal, a page and Markdown say alike of a case: names, counts, findings, and what the verdict rests on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.errors import printable
from harness.records import VerdictName
from harness.result import CaseResult, FindingResult

VERDICT_ORDER: tuple[VerdictName, ...] = ("race", "broken", "inconclusive", "hazard", "clean")
"""Verdicts, those first that a reader should see first."""
# Two frames with their source, and the error: enough to recognise it; the timeline has the whole traceback.
EVIDENCE_LINES = 6
# The gravest class comes first, so what is left out is seldom a cause; result.json has all.
MOST_FINDINGS = 4


def by_gravity(cases: Iterable[CaseResult]) -> list[CaseResult]:
    """The cases, those first that a reader should see first: what is not met, then the gravest verdict."""
    return sorted(cases, key=lambda case: (case.met, VERDICT_ORDER.index(case.verdict)))


def case_name(case: CaseResult) -> str:
    """The scenario and the script, and the schedule where it is not the natural one."""
    name = f"{case.scenario} {case.script}" + ("" if case.schedule == "natural" else f" {case.schedule}")
    return printable(name)


def hosting_text(case: CaseResult) -> str:
    hosting = case.hosting
    mpm = f" {hosting.mpm}" if hosting.mode == "embedded" else ""
    return f"{hosting.mode}{mpm} {hosting.processes}x{hosting.threads}"


def outcomes_text(case: CaseResult) -> str:
    """The outcomes, the most frequent first."""
    counts = sorted(case.outcomes.items(), key=lambda outcome: -outcome[1])
    return ", ".join(f"{name} {count}" for name, count in counts)


def expected_text(case: CaseResult) -> str:
    return (case.expected or "-").replace("|", " or ")


def conclusion(case: CaseResult) -> str:
    """What the verdict rests on, without its full stop: the bad trials, the bound of a clean verdict, or the reason;
    after how many trials it was stopped, and what the site's processes left running."""
    left = f"; {case.left_behind}" if case.left_behind else ""
    cut_short = case.stopped and case.verdict in ("race", "hazard", "clean")  # the reason of any other says it
    stopped = f"stopped after {case.trials} of {case.planned_trials} trials: " if cut_short else ""
    return f"{stopped}{_rests_on(case)}{left}"


def _rests_on(case: CaseResult) -> str:
    match case.verdict:
        case "race":
            standing = {
                "candidate": "; a candidate of the snapshot lane: only what Apache shows counts (--confirm)",
                "confirmed": "; seen in the snapshot lane, and on Apache too",
            }
            return (
                f"{case.bad_trials} of {case.judged_trials} trials, none of the controls"
                f"{standing.get(case.standing or '', '')}"
            )
        case "broken":
            return "it fails one request at a time too, so this is no race"
        case "inconclusive":
            return case.reason
        case _:
            bound = f"{100 * (case.upper_bound or 1.0):.2f} %"
            return f"no race in {case.judged_trials} trials: at 95 % confidence at most {bound} of cold starts are bad"


def main_findings(case: CaseResult) -> Sequence[FindingResult]:
    """The findings that a report shows: those of the race's class first; of a broken case, why it is broken."""
    if case.verdict == "broken":
        return case.findings[:1]
    findings = sorted(case.findings, key=lambda finding: not case.race_class or finding.race_class != case.race_class)
    return findings[:MOST_FINDINGS]


def seen_text(finding: FindingResult) -> str:
    """Where it was seen, and how often: `trial 3, seen 2 times`."""
    where = f"trial {finding.trial}, " if finding.trial is not None else ""
    return f"{where}seen {'once' if finding.count == 1 else f'{finding.count} times'}"


def story(finding: FindingResult) -> list[str]:
    """What happened, in sentences: the summary, then how it came about."""
    return [f"{finding.summary.rstrip('.')}.", *finding.story]


def evidence_tail(finding: FindingResult) -> list[str]:
    """The end of a traceback, which names the error; of a hang all stacks, for only together do they show the ring."""
    lines = finding.evidence if finding.outcome == "hang" else finding.evidence[-EVIDENCE_LINES:]
    return [line.rstrip() for line in lines]
