"""Does a trial again: the same case, the same disturbance by the same seed; and finds the least that still fails."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from harness.cases.case import Case
from harness.cases.site import site_digest
from harness.checkers.findings import GRAVITY, TrialGrade
from harness.errors import BadInput
from harness.hosting.backend import Backend
from harness.records import RaceClass, ThreadOrder, Trial
from harness.result import RunResult
from harness.run.session import Session
from harness.run.watcher import Silent
from harness.runtimes.building import Runtime
from harness.search.explorer import explore_one
from harness.store.runs import RESULT_FILE, histories
from harness.store.stored_case import StoredCase


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


def gravest(graded: TrialGrade) -> RaceClass:
    """The gravest race class of a bad trial."""
    return next(name for name in GRAVITY if name in graded.races)


def attempted(stored: StoredCase, race_class: RaceClass) -> Attempt:
    """What a history tells of an attempt: which of its trials were bad in this way."""
    same = [trial for trial, graded in stored.bad() if race_class in graded.races]
    trials = list(stored.trials())
    orders = [trial.order for trial in trials if trial.order]
    followed = sum(order.followed for order in orders)
    return Attempt(
        stored.case,
        failed=len(same),
        trials=len(trials),
        order=next((trial.order for trial in same if trial.order and trial.order.runs), None),
        followed=followed / sum(order.steps for order in orders) if followed else None,
    )


def look_up(directory: Path, number: int, pattern: str) -> ReplayTarget:
    """The bad trial of that number in a stored run; `pattern` tells which case is meant, where several have one.

    Raises:
        BadInput: there is none, there are several, or the site has changed since.
    """
    versions = _versions(directory)
    targets = [
        _target(stored.case, trial, graded, versions.get(stored.case.id, {}))
        for stored in map(StoredCase, histories(directory))
        if pattern in stored.case.id
        for trial, graded in stored.bad()
        if trial.number == number
    ]
    if not targets:
        raise BadInput(f"run {directory.name} has no bad trial {number}{f' of a case {pattern!r}' if pattern else ''}")
    if len(targets) > 1:
        ids = ", ".join(target.case.id for target in targets)
        raise BadInput(f"trial {number} of run {directory.name} was bad in several cases: choose with --case ({ids})")
    (target,) = targets
    case = target.case
    if not case.script_path.is_file():
        raise BadInput(f"{case.script_path}: the script of that run is not there any more")
    if case.digest and case.digest != site_digest(case.site_dir):
        raise BadInput(
            f"the files of {case.site_dir} have changed since run {directory.name}: "
            f"what failed then need not fail now; run the scenario anew"
        )
    return target


def _target(case: Case, trial: Trial, graded: TrialGrade, versions: Mapping[str, str]) -> ReplayTarget:
    disturbed = [inside for inside in trial.evidence.inside if inside.strategy]
    return ReplayTarget(
        case,
        trial.number,
        gravest(graded),
        disturbed[0].strategy if disturbed else "",
        disturbed[0].seed if disturbed else 0,
        trial.order,
        versions,
    )


def _versions(directory: Path) -> dict[str, dict[str, str]]:
    """By case, what a run ran on; nothing where it was killed before it could say."""
    try:
        result = msgspec.json.decode((directory / RESULT_FILE).read_bytes(), type=RunResult)
    except (OSError, msgspec.DecodeError):
        return {}
    return {each.case: each.versions for each in result.cases}


def check_runtime(target: ReplayTarget, versions: Mapping[str, str]) -> None:
    """Raises BadInput: the runtime is not what it was, so that what failed then need not fail now."""
    changed = [
        f"{name} was {then} and is {versions[name]}"
        for name, then in target.versions.items()
        if versions.get(name, then) != then
    ]
    if changed:
        raise BadInput(
            f"runtime {target.case.runtime} has changed since that run: {', '.join(changed)}; run the scenario anew"
        )


def again(target: ReplayTarget, trials: int) -> Case:
    """The case with every process disturbed by the seed of that trial."""
    perturb = target.case.perturb
    if target.strategy:
        perturb = perturb.model_copy(update={"seed": target.seed})
    return target.case.model_copy(update={"trials": trials, "full": True, "perturb": perturb, "expectation": None})


def by_seed(target: ReplayTarget) -> ThreadOrder:
    """How a trial of the snapshot lane is done again by its seed alone; each line is a point, so that the order of one
    that fails can be enforced."""
    return ThreadOrder(line_up=bool(target.order and target.order.line_up), fine=bool(target.strategy))


def orders(target: ReplayTarget, again: Attempt) -> Iterator[tuple[str, ThreadOrder]]:
    """The orders that can be enforced: that of the trial itself, and that of one that failed like it, by its seed."""
    if target.order and target.order.runs:
        yield "its own order", target.order
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
    if case.threads > 2:
        yield case.model_copy(update={"threads": max(2, case.threads // 2)})


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


def describe_size(case: Case) -> str:
    """A case's size in words."""
    paths = ", ".join(dict.fromkeys(str(each) for each in case.requests))
    return f"{case.users} requests ({paths}), {case.threads} threads"


class Replayer:
    """Does a trial again: by its seed, by the orders that are known, and then with less and less."""

    def __init__(
        self,
        target: ReplayTarget,
        session: Session,
        backend: Backend,
        runtime_of: Callable[[str], Runtime],
        say: Callable[[str], None],
    ) -> None:
        self._target = target
        self._session = session
        self._backend = backend
        self._runtime_of = runtime_of
        self._say = say
        self._numbers = itertools.count(1)

    def run(self, trials: int, *, minimised: bool) -> tuple[Attempt, int]:
        """The smallest attempt that failed (or the first), and how many trials failed in all the attempts before it
        was made smaller.

        Raises:
            BadInput: the runtime has changed.
            KeyboardInterrupt: an attempt was stopped.
        """
        target = self._target
        # Only a replay on a server has a host, and may find none.
        of_lane = target.order is not None
        check_runtime(
            target,
            self._runtime_of(target.case.runtime).versions
            if of_lane
            else self._backend.host(target.case, self._session.flights).versions,
        )
        best = self._attempt(again(target, trials))
        failed = best.failed
        for name, order in orders(target, best):
            failed += self._attempt(best.case, order, f"{name} enforced").failed
        if best.failed and minimised:
            best = minimise(best, self._attempt)
        return best, failed

    def _attempt(self, case: Case, like: ThreadOrder | None = None, how: str = "") -> Attempt:
        target, session = self._target, self._session
        case = case.model_copy(update={"id": f"{target.case.id}::replay-{next(self._numbers)}"})
        if target.order is None:
            _, stopped = session.run_one(case, self._backend, Silent())
            if stopped:
                raise KeyboardInterrupt
        else:
            explore_one(session, case, self._runtime_of(case.runtime), Silent(), like or by_seed(target))
        done = attempted(StoredCase(session.history_path(case)), target.race_class)
        kept = "" if done.followed is None else f", {done.followed:.1%} of its steps followed"
        self._say(f"{done} with {how or describe_size(case)}{kept}")
        return done
