"""Pure functions from a history to findings. No input or output here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import msgspec

from harness.checkers.answers import grade_answers, grade_follow_up
from harness.checkers.coldness import is_cold, is_reloaded, most_in_one_process
from harness.checkers.findings import Finding, TrialGrade
from harness.checkers.initialisation import duplicate_init, lazy_work
from harness.checkers.state import changed_state
from harness.checkers.story import tell
from harness.checkers.yardstick import Yardstick
from harness.records import OutcomeName, Trial

NO_STRATEGY = "perturb: this Python can do none of the strategies that are wanted (3.11 cannot disturb lines)"


NO_LINES = "perturb.packages: no request ran a line of them; name packages as they are imported, for example shop.views"


GradedOutcomes = Iterable[tuple[OutcomeName, Finding | None]]


CHECKERS: dict[str, Callable[[Trial, Yardstick], GradedOutcomes]] = {
    "answers": grade_answers,
    "follow-up": grade_follow_up,
    "duplicate-init": lambda trial, baseline: ((each.outcome, each) for each in duplicate_init(trial, baseline)),
    "state": lambda trial, baseline: ((each.outcome, each) for each in changed_state(trial, baseline)),
}


def grade(trial: Trial, baseline: Yardstick) -> TrialGrade:
    """Judge one trial. A checker that fails is named in the grade, and makes its case inconclusive."""
    outcomes: Counter[OutcomeName] = Counter()
    findings: list[Finding] = []
    failed = []
    for name, checker in CHECKERS.items():
        try:
            for outcome, finding in checker(trial, baseline):
                outcomes[outcome] += 1
                if finding is not None:
                    findings.append(finding)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not pass for clean
            failed.append(f"checker {name} failed: {type(error).__name__}: {error}")
    if any(each.lost for each in trial.evidence.inside):
        failed.append("the probe's recording of a process is not whole: events are lost")
    failed += [f"state: {each}" for state in trial.evidence.states for each in state.failed]
    failed += [NO_STRATEGY for inside in trial.evidence.inside if inside.strategy == "none"]
    failed += [NO_LINES for inside in trial.evidence.inside if inside.disturbed_files == 0]
    cold, reloaded = is_cold(trial), is_reloaded(trial)
    effective = cold and most_in_one_process(trial) >= 2 and "slow" not in outcomes
    lazy = lazy_work(trial)
    return TrialGrade(
        number=trial.number,
        cold=cold,
        reloaded=reloaded,
        requests=len(trial.answers) + len(trial.follow_up),
        effective=effective,
        exposed=effective and any(each.waiters for each in lazy),
        outcomes=dict(outcomes),
        findings=tuple(_told(findings, trial, baseline)),
        lazy=tuple(lazy),
        failed_checkers=tuple(failed),
        end=trial.end,
    )


def _told(findings: Iterable[Finding], trial: Trial, baseline: Yardstick) -> Iterable[Finding]:
    """The findings, the first of each kind with its story; all say how threads were disturbed, to be done again."""
    disturbed = tuple(
        f"threads disturbed: {each.strategy}, seed {each.seed}" for each in trial.evidence.inside if each.strategy
    )
    known: set[str] = set()
    for each in findings:
        story = () if each.key in known else tell(each, trial, baseline)
        known.add(each.key)
        yield msgspec.structs.replace(each, evidence=(*each.evidence, *disturbed), story=story)
