"""One trial: a cold process, the stampede, the follow-up requests, and the evidence of the process."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager, nullcontext

import msgspec

from harness.hosting.slot import IDLE_WATCH_SECONDS, ColdSlot
from harness.load.client import LocustClient, PendingAnswers
from harness.records import UNENDED, Answer, Evidence, State, Trial

# While answers are awaited, stacks are read to find threads that wait for each other's locks, for they will wait for
# good. First after a time in which nearly every stampede is over, then after ever longer pauses, for reading disturbs.
LOOK_SECONDS = 0.25
# Before each look the process is watched this long for CPU time: ten of the 10 ms ticks in which Linux counts it.
LOOK_WATCH_SECONDS = 0.1


def run_trial(
    slot: ColdSlot,
    locust: LocustClient,
    number: int,
    grace: float,
    reference: State | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> Trial:
    """Stampede the cold process of a slot as soon as `turn` can be entered. Raises InfrastructureError."""
    case = slot.case
    chosen = case.requests_of_stampede()
    headers = [{**slot.headers, "X-Harness-Request": f"{number}.{user}"} for user in range(len(chosen))]
    with turn or nullcontext():
        begin = time.monotonic()
        slot.watch()
        pending = locust.order(slot.address, case.requests, chosen, headers, case.max_body)
        answers = _wait(slot, pending, grace)
    answered = not any(answer.failure in UNENDED for answer in answers)
    follow_up = _follow_up(locust, slot, number, grace) if answered else []
    evidence = slot.collect(begin, answered=answered)
    return Trial(
        number=number,
        slot=slot.name,
        begin=begin,
        end=time.monotonic(),
        answers=answers,
        follow_up=tuple(follow_up),
        evidence=compared(evidence, reference),
    )


def _wait(slot: ColdSlot, pending: PendingAnswers, grace: float) -> tuple[Answer, ...]:
    """The answers. Reads stacks now and then: a deadlock that they prove ends the wait."""
    waited, pause, watched = 0.0, LOOK_SECONDS, LOOK_WATCH_SECONDS
    while True:
        if pause >= grace - waited:
            pause, watched = grace - waited, IDLE_WATCH_SECONDS
        answers = pending.wait(pause)
        waited += pause
        if answers is None:
            slot.watch()
            slot.watch_idle(watched, pending.wait)
            answers = pending.wait(0)
        if answers is not None:
            return answers
        stacks = slot.read_stacks()
        if waited >= grace or any(stack.for_good for stack in stacks):
            return pending.wait(0) or pending.abandon()
        pause *= 2


def _follow_up(locust: LocustClient, slot: ColdSlot, number: int, grace: float) -> list[Answer]:
    """Send single requests to the same process, one after another: does it still answer right?"""
    answers: list[Answer] = []
    for turn in range(slot.case.follow_up):
        index = turn % len(slot.case.requests)
        headers = [{**slot.headers, "X-Harness-Request": f"{number}.f{turn}"}]
        pending = locust.order(slot.address, slot.case.requests, [index], headers, slot.case.max_body)
        (answer,) = pending.wait(grace) or pending.abandon()
        answers.append(answer)
        if answer.failure in UNENDED:
            break
    return answers


def compared(evidence: Evidence, reference: State | None) -> Evidence:
    """The evidence with only those entries of its states that differ from the reference: a state has hundreds of
    entries, and a run thousands of trials."""
    if reference is None:
        return evidence
    states = tuple(_differing(state, reference) for state in evidence.states)
    return msgspec.structs.replace(evidence, states=states)


def _differing(state: State, reference: State) -> State:
    names = {**reference.entries, **state.entries}
    changed = {
        name: state.entries.get(name) for name in names if state.entries.get(name) != reference.entries.get(name)
    }
    return msgspec.structs.replace(state, entries=changed)
