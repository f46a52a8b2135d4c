"""Does a trial again: the same case, the same disturbance by the same seed; and finds the least that still fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.cases.case import Case, site_digest
from harness.checkers.findings import TrialGrade
from harness.checkers.grade import grade
from harness.checkers.yardstick import Yardstick
from harness.errors import BadInput
from harness.records import Control, Inside, RaceClass, ThreadOrder, Trial
from harness.result import RunResult
from harness.store.history import read, read_case
from harness.verdict import GRAVITY, RACES


@dataclass(frozen=True)
class ReplayTarget:
    """What is known of the trial that is to be done again."""

    case: Case
    number: int
    race_class: RaceClass
    """The gravest that was found in it."""
    strategy: str
    seed: int
    order: ThreadOrder | None = None
    """Of a trial of the snapshot lane: how its threads were led."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What it ran on; empty where that was not written down."""


@dataclass(frozen=True)
class Attempt:
    """How often a case failed in the way of the trial."""

    case: Case
    failed: int
    trials: int
    order: ThreadOrder | None = None
    """In the snapshot lane, the order of the first trial that failed so."""
    followed: float | None = None
    """Where an order was enforced: the share of its steps that were made in it."""

    def __str__(self) -> str:
        return f"reproduced {self.failed} of {self.trials}"


def bad_trials(path: Path) -> Iterator[tuple[TrialGrade, Trial]]:
    """The trials of a history that were bad, and how they were judged."""
    case = read_case(path)
    baseline = Yardstick.of(case.requests, [each for each in read(path) if isinstance(each, Control)])
    for each in read(path):
        if isinstance(each, Trial):
            judged = grade(each, baseline)
            if judged.effective and RACES.keys() & judged.outcomes.keys():
                yield judged, each


def gravest(judged: TrialGrade) -> RaceClass:
    """The gravest race class of a bad trial."""
    classes = {RACES[name] for name in judged.outcomes if name in RACES}
    return next(each for each in GRAVITY if each in classes)


def attempted(case: Case, path: Path, race_class: RaceClass) -> Attempt:
    """What a history tells of an attempt: which of its trials were bad in this way."""
    same = [
        trial for judged, trial in bad_trials(path) if any(RACES.get(name) == race_class for name in judged.outcomes)
    ]
    trials = [each for each in read(path) if isinstance(each, Trial)]
    steps = sum(each.order.steps for each in trials if each.order)
    followed = sum(each.order.followed for each in trials if each.order)
    return Attempt(
        case,
        failed=len(same),
        trials=len(trials),
        order=next((each.order for each in same if each.order and each.order.runs), None),
        followed=followed / steps if followed else None,
    )


def look_up(directory: Path, number: int, pattern: str) -> ReplayTarget:
    """The bad trial of that number in a stored run; `pattern` tells which case is meant, where several have one.

    Raises:
        BadInput: there is none, there are several, or the site has changed since.
    """
    found: list[ReplayTarget] = []
    versions = _versions(directory)
    for path in sorted((directory / "cases").glob("*.jsonl")):
        case = read_case(path)
        if pattern not in case.id:
            continue
        for judged, trial in bad_trials(path):
            if trial.number == number:
                inside = next((each for each in trial.inside if each.strategy), Inside(process=trial.inside[0].process))
                found.append(
                    ReplayTarget(
                        case,
                        number,
                        gravest(judged),
                        inside.strategy,
                        inside.seed,
                        trial.order,
                        versions.get(case.id, {}),
                    )
                )
    if not found:
        raise BadInput(f"run {directory.name} has no bad trial {number}{f' of a case {pattern!r}' if pattern else ''}")
    if len(found) > 1:
        ids = ", ".join(each.case.id for each in found)
        raise BadInput(f"trial {number} of run {directory.name} was bad in several cases: choose with --case ({ids})")
    (told,) = found
    if not told.case.script_path.is_file():
        raise BadInput(f"{told.case.script_path}: the script of that run is not there any more")
    if told.case.digest and told.case.digest != site_digest(told.case.script_path):
        raise BadInput(
            f"the files of {told.case.script_path.parent.parent} have changed since run {directory.name}: "
            f"what failed then need not fail now; run the scenario anew"
        )
    return told


def _versions(directory: Path) -> dict[str, dict[str, str]]:
    """By case, what a run ran on; nothing where it was killed before it could say."""
    try:
        result = msgspec.json.decode((directory / "result.json").read_bytes(), type=RunResult)
    except (OSError, msgspec.DecodeError):
        return {}
    return {each.case: each.versions for each in result.cases}


def check_runtime(told: ReplayTarget, versions: Mapping[str, str]) -> None:
    """Raises BadInput: the runtime is not what it was, so that what failed then need not fail now."""
    changed = [
        f"{name} was {then} and is {versions[name]}"
        for name, then in told.versions.items()
        if versions.get(name, then) != then
    ]
    if changed:
        raise BadInput(
            f"runtime {told.case.runtime} has changed since that run: {', '.join(changed)}; run the scenario anew"
        )


def again(told: ReplayTarget, trials: int) -> Case:
    """The case with every process disturbed by the seed of that trial."""
    perturb = told.case.perturb
    if told.strategy:
        perturb = perturb.model_copy(update={"seed": told.seed})
    return told.case.model_copy(update={"trials": trials, "full": True, "perturb": perturb, "expectation": None})


def by_seed(told: ReplayTarget) -> ThreadOrder:
    """How a trial of the snapshot lane is done again by its seed alone; each line is a point, so that the order of one
    that fails can be enforced."""
    return ThreadOrder(line_up=bool(told.order and told.order.line_up), fine=bool(told.strategy))


def orders(told: ReplayTarget, again: Attempt) -> Iterator[tuple[str, ThreadOrder]]:
    """The orders that can be enforced: that of the trial itself, and that of one that failed like it, by its seed."""
    if told.order and told.order.runs:
        yield "its own order", told.order
    if again.order:
        yield "the order of one that failed by its seed, line by line", again.order


def smaller(case: Case) -> Iterator[Case]:
    """Cases that ask for less: half the requests, one path fewer, half the threads."""
    if case.users > max(2, len(case.requests)):
        yield case.model_copy(update={"users": max(2, len(case.requests), case.users // 2)})
    if len(case.requests) > 1:
        for left_out in range(len(case.requests)):
            requests = tuple(each for index, each in enumerate(case.requests) if index != left_out)
            yield case.model_copy(update={"requests": requests})
    daemon, embedded = case.hosting.daemon, case.hosting.embedded
    threads = daemon.threads if case.mode == "daemon" else embedded.threads
    if threads > 2:
        half = {"threads": max(2, threads // 2)}
        hosting = case.hosting.model_copy(
            update={"daemon": daemon.model_copy(update=half), "embedded": embedded.model_copy(update=half)}
        )
        yield case.model_copy(update={"hosting": hosting})


def minimise(first: Attempt, attempt: Callable[[Case], Attempt], limit: int = 20) -> Attempt:
    """The smallest case that still fails, by trying smaller ones as long as one does; at most `limit` attempts."""
    best = first
    tried = 0
    progress = True
    while progress and tried < limit:
        progress = False
        for case in smaller(best.case):
            if tried >= limit:
                break
            tried += 1
            done = attempt(case)
            if done.failed:
                best, progress = done, True
                break
    return best


def describe(case: Case) -> str:
    """A case's size in words."""
    hosting = case.hosting.daemon if case.mode == "daemon" else case.hosting.embedded
    paths = ", ".join(dict.fromkeys(str(each) for each in case.requests))
    return f"{case.users} requests ({paths}), {hosting.threads} threads"
