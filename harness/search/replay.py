"""Replays a bad trial, with the same case and the same seed, and finds the smallest case that still fails."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.cases.case import Case
from harness.cases.reading import is_file
from harness.cases.site import site_digest
from harness.checkers.findings import GRAVITY, TrialGrade
from harness.errors import BadInput, quoted
from harness.hosting.backend import Backend
from harness.records import RaceClass, ThreadOrder, Trial
from harness.run.session import Session, SilentWatcher
from harness.runtimes.building import Runtime
from harness.search.explorer import explore_one
from harness.store.regrade import RunRecord
from harness.store.runs import histories, read_result
from harness.store.stored_case import StoredCase

# Each attempt is a run of its own: with 20 trials each, 20 attempts take minutes, and halving is over well before.
MOST_ATTEMPTS = 20


@dataclass(frozen=True)
class ReplayTarget:
    """The trial to replay, and what is known of it."""

    case: Case
    number: int
    race_class: RaceClass
    """The gravest that it showed."""
    strategy: str
    seed: int
    order: ThreadOrder | None = None
    """Of a trial of the snapshot lane: the order in which its threads ran."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """What it ran on; empty if that was not written down."""


@dataclass(frozen=True)
class Attempt:
    """How often a case failed in the same way as the trial."""

    case: Case
    failed: int
    trials: int
    order: ThreadOrder | None = None
    """In the snapshot lane, the order of the first trial that failed in that way."""
    followed: float | None = None
    """If an order was enforced: the share of its steps that were made in that order."""

    def __str__(self) -> str:
        return f"reproduced {self.failed} of {self.trials}"


def gravest(graded: TrialGrade) -> RaceClass:
    """The gravest race class of a bad trial."""
    return next(name for name in GRAVITY if name in graded.races)


def attempted(stored: StoredCase, race_class: RaceClass) -> Attempt:
    """An attempt, from its history: how many of its trials were bad in this way. Raises BadInput."""
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
    """The bad trial of that number in a stored run; `pattern` chooses the case if several have such a trial. Raises
    BadInput: there is none, there are several, or the site has changed since."""
    versions = {case.case: case.versions for case in read_result(directory, RunRecord).cases}
    targets = [
        _target(stored.case, trial, graded, versions.get(stored.case.id, {}))
        for stored in map(StoredCase, histories(directory))
        if pattern in stored.case.id
        for trial, graded in stored.bad()
        if trial.number == number
    ]
    if not targets:
        raise BadInput(
            f"run {directory.name} has no bad trial {number}{f' of a case {quoted(pattern)}' if pattern else ''}"
        )
    if len(targets) > 1:
        ids = ", ".join(target.case.id for target in targets)
        raise BadInput(f"trial {number} of run {directory.name} was bad in several cases: choose with --case ({ids})")
    (target,) = targets
    case = target.case
    if not is_file(case.script_path):
        raise BadInput(f"{case.script_path}: the script of that run no longer exists")
    if case.digest and case.digest != site_digest(case.site_dir):
        raise BadInput(
            f"the files of {case.site_dir} have changed since run {directory.name}, and a replay would prove nothing: "
            f"run the scenario again"
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


def check_runtime(target: ReplayTarget, versions: Mapping[str, str]) -> None:
    """Raises BadInput: the runtime has changed since, so that a replay would prove nothing."""
    changed = [
        f"{name} was {then} and is {versions[name]}"
        for name, then in target.versions.items()
        if versions.get(name, then) != then
    ]
    if changed:
        raise BadInput(
            f"runtime {target.case.runtime} has changed since that run: {', '.join(changed)}; run the scenario again"
        )


def again(target: ReplayTarget, trials: int) -> Case:
    """The case of that trial, with every process disturbed by the trial's seed."""
    perturb = target.case.perturb
    if target.strategy:
        perturb = perturb.model_copy(update={"seed": target.seed})
    return target.case.model_copy(update={"trials": trials, "full": True, "perturb": perturb, "expectation": None})


def by_seed(target: ReplayTarget) -> ThreadOrder:
    """For replaying a trial of the snapshot lane by its seed alone. Each line is a point, so that the order of a replay
    that fails can be enforced."""
    return ThreadOrder(line_up=bool(target.order and target.order.line_up), fine=bool(target.strategy))


def orders(target: ReplayTarget, again: Attempt) -> Iterator[tuple[str, ThreadOrder]]:
    """The orders that can be enforced, by name: that of the trial, and that of a replay by its seed that failed too."""
    if target.order and target.order.runs:
        yield "its own order", target.order
    if again.order:
        yield "the line-by-line order of a replay that failed", again.order


def smaller(case: Case) -> Iterator[Case]:
    """Smaller cases: half the requests, one path fewer, half the threads."""
    if case.users > max(2, len(case.requests)):
        yield case.model_copy(update={"users": max(2, len(case.requests), case.users // 2)})
    if len(case.requests) > 1:
        for left_out in range(len(case.requests)):
            requests = tuple(request for index, request in enumerate(case.requests) if index != left_out)
            yield case.model_copy(update={"requests": requests})
    if case.threads > 2:
        yield case.model_copy(update={"threads": max(2, case.threads // 2)})


def minimise(first: Attempt, attempt: Callable[[Case], Attempt], limit: int = MOST_ATTEMPTS) -> Attempt:
    """The smallest case that still fails: smaller ones are tried as long as one fails, at most `limit` in all."""
    best = first
    cases = smaller(best.case)
    for _ in range(limit):
        case = next(cases, None)
        if case is None:
            break
        result = attempt(case)
        if result.failed:
            best, cases = result, smaller(case)
    return best


def describe_size(case: Case) -> str:
    """A case's size in words."""
    paths = ", ".join(dict.fromkeys(map(str, case.requests)))
    return f"{case.users} requests ({paths}), {case.threads} threads"


@dataclass
class Replayer:
    """Replays a trial: by its seed, by the orders that are known, and then with ever smaller cases."""

    target: ReplayTarget
    session: Session
    backend: Backend
    runtime_of: Callable[[str], Runtime]
    say: Callable[[str], None]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def run(self, trials: int, *, minimised: bool) -> tuple[Attempt, int]:
        """Replay the trial: the smallest attempt that failed (or else the first one), and how many trials failed in the
        attempts at full size. Raises BadInput: the runtime has changed; KeyboardInterrupt: an attempt was stopped."""
        target = self.target
        if target.order is not None:
            versions = self.runtime_of(target.case.runtime).versions
        else:  # only a replay on a server needs a host
            versions = self.backend.host(target.case, self.session.parallel).versions
        check_runtime(target, versions)
        best = self._attempt(again(target, trials))
        failed = best.failed
        for name, order in orders(target, best):
            failed += self._attempt(best.case, order, f"{name} enforced").failed
        if best.failed and minimised:
            best = minimise(best, self._attempt)
        return best, failed

    def _attempt(self, case: Case, like: ThreadOrder | None = None, how: str = "") -> Attempt:
        target, session = self.target, self.session
        case = case.model_copy(update={"id": f"{target.case.id}::replay-{next(self._numbers) + 1}"})
        if target.order is None:
            _, stopped = session.run_one(case, self.backend, SilentWatcher())
            if stopped:
                raise KeyboardInterrupt
        else:
            explore_one(session, case, self.runtime_of(case.runtime), SilentWatcher(), like or by_seed(target))
        attempt = attempted(StoredCase(session.history_path(case)), target.race_class)
        attempt = dataclasses.replace(attempt, case=case)  # the stored one lacks what is not stored
        followed = "" if attempt.followed is None else f", {attempt.followed:.1%} of its steps followed"
        self.say(f"{attempt} with {how or describe_size(case)}{followed}")
        return attempt
