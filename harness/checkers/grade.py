"""Grades a trial: every checker's findings, the counts of outcomes, and whether the trial counts at all."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import msgspec

from harness.checkers.answers import cut_off, grade_answers, grade_follow_up
from harness.checkers.cause import cause_of
from harness.checkers.coldness import is_cold, is_reloaded, most_in_one_process
from harness.checkers.findings import Finding, LazyWork, TrialGrade
from harness.checkers.initialisation import duplicate_init, lazy_work
from harness.checkers.shortage import void_reason
from harness.checkers.state import changed_state
from harness.checkers.story import tell
from harness.checkers.yardstick import Yardstick
from harness.records import OutcomeName, Trial

NO_STRATEGY = "perturb: this Python supports none of the chosen strategies (3.11 cannot disturb lines)"
NO_LINES = "perturb.packages: no request ran a line of them; name them as they are imported, for example shop.views"

GradedOutcomes = Iterable[tuple[OutcomeName, Finding | None]]
CHECKERS: dict[str, Callable[[Trial, Yardstick], GradedOutcomes]] = {
    "answers": grade_answers,
    "follow-up": grade_follow_up,
    "duplicate-init": lambda trial, yardstick: ((f.outcome, f) for f in duplicate_init(trial, yardstick)),
    "state": lambda trial, yardstick: ((f.outcome, f) for f in changed_state(trial, yardstick)),
}


def grade(trial: Trial, yardstick: Yardstick) -> TrialGrade:
    """Judge one trial. A checker that fails is named in the grade and makes the case inconclusive."""
    failed: list[str] = []
    void = ""
    with _guarded("shortage", failed):
        void = void_reason(trial)
    if void or failed:
        return _void(trial, void or failed[0])
    outcomes: Counter[OutcomeName] = Counter()
    findings: list[Finding] = []
    for name, checker in CHECKERS.items():
        with _guarded(name, failed):
            for outcome, finding in checker(trial, yardstick):
                outcomes[outcome] += 1
                if finding is not None:
                    findings.append(finding)
    if any(inside.lost for inside in trial.evidence.inside):
        failed.append("the probe's recording of a process is incomplete: events were lost")
    failed += cut_off(trial, yardstick)
    failed += _unrecorded(trial)
    failed += [f"state: {reason}" for state in trial.evidence.states for reason in state.failed]
    failed += [NO_STRATEGY for inside in trial.evidence.inside if inside.strategy == "none"]
    failed += [NO_LINES for inside in trial.evidence.inside if inside.disturbed_files == 0]
    cold = reloaded = effective = False
    with _guarded("coldness", failed):
        cold, reloaded = is_cold(trial), is_reloaded(trial)
        effective = cold and most_in_one_process(trial) >= 2 and "slow" not in outcomes
    lazy: list[LazyWork] = []
    with _guarded("lazy work", failed):
        lazy = lazy_work(trial)
    stories = tuple(_with_stories(findings, trial, yardstick, failed))
    return TrialGrade(
        number=trial.number,
        cold=cold,
        reloaded=reloaded,
        requests=len(trial.answers) + len(trial.follow_up),
        effective=effective,
        exposed=effective and any(work.waiters for work in lazy),
        outcomes=dict(outcomes),
        findings=stories,
        lazy=tuple(lazy),
        failed_checkers=tuple(failed),
        end=trial.end,
    )


@contextlib.contextmanager
def _guarded(checker: str, failed: list[str]) -> Iterator[None]:
    """What a checker fails with goes to `failed`: whatever it is, it must not pass for clean."""
    try:
        yield
    except Exception as error:  # noqa: BLE001
        failed.append(f"checker {checker} failed: {type(error).__name__}: {error}")


def _void(trial: Trial, reason: str) -> TrialGrade:
    """The grade of a trial that proves nothing."""
    return TrialGrade(
        number=trial.number,
        cold=False,
        reloaded=False,
        requests=len(trial.answers) + len(trial.follow_up),
        effective=False,
        exposed=False,
        outcomes={},
        findings=(),
        lazy=(),
        void=reason,
        end=trial.end,
    )


def _unrecorded(trial: Trial) -> list[str]:
    """What the probe has told of answers, and its recordings do not have: the site may have replaced them, or it."""
    watched = {watched.process for watched in trial.evidence.processes}
    answers = (*trial.answers, *trial.follow_up)
    proven = {answer.process for answer in answers if answer.process in watched}
    if proven - {inside.process for inside in trial.evidence.inside}:
        return ["the probe's recording of a process is missing, or is none"]
    recorded = any(span.kind == "request" for inside in trial.evidence.inside for span in inside.spans)
    if trial.evidence.inside and not recorded and any(answer.status == 200 for answer in answers):
        return ["the probe recorded no request, though requests were answered"]
    return []


def _with_stories(
    findings: Iterable[Finding], trial: Trial, yardstick: Yardstick, failed: list[str]
) -> Iterable[Finding]:
    """The findings, the first of each key with its story, and all with how threads were disturbed, for a replay. A
    story that cannot be told is left out, and the reason goes to `failed`."""
    perturbed = [inside for inside in trial.evidence.inside if inside.strategy]
    disturbed = [f"threads disturbed: {inside.strategy}, seed {inside.seed}" for inside in perturbed]
    known: set[str] = set()
    for finding in findings:
        story: tuple[str, ...] = ()
        cause = None
        with _guarded("story", failed):
            story = () if finding.key in known else tell(finding, trial, yardstick)
            cause = cause_of(trial.evidence, finding.name) if finding.race_class == "failed-request" else None
        known.add(finding.key)
        yield msgspec.structs.replace(finding, evidence=(*finding.evidence, *disturbed), story=story, cause=cause)
