"""One trial: a cold process, the stampede, the follow-up requests, and what was seen meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext

import msgspec

from harness.hosting.host import Host, Slot
from harness.load.client import LocustClient, PendingAnswers
from harness.records import (
    Answer,
    ProcessId,
    State,
    ThreadStack,
    Trial,
    WatchedProcess,
)

# A request is given this many times the slowest control before anyone asks whether it hangs (design: >= 10).
GRACE_FACTOR = 10.0
# ... and at least this long, so that a busy machine is not mistaken for a hang.
GRACE_SECONDS = 5.0
# How long the CPU time of a process is watched, and how much of it still counts as standing still. Two ticks
# of the kernel's clock: mod_wsgi's own monitor threads wake up now and then.
IDLE_WATCH_SECONDS = 1.0
IDLE_CPU_SECONDS = 0.02
# Threads that wait for each other's locks do so for good, however short they have been watched: looked for after so
# long, then ever more rarely, while answers are waited for.
LOOK_SECONDS = 0.25
LOOK_WATCH_SECONDS = 0.1


def grace_seconds(slowest_control: float) -> float:
    """How long answers are waited for before a process that stands still is called a hang."""
    return max(GRACE_SECONDS, GRACE_FACTOR * slowest_control)


def run_trial(
    host: Host,
    locust: LocustClient,
    slot: Slot,
    number: int,
    grace: float,
    reference: State | None = None,
    turn: AbstractContextManager[object] | None = None,
) -> Trial:
    """Stampede the cold process of a slot, when it is its `turn`. Raises InfrastructureError."""
    case = host.case
    chosen = case.requests_of_stampede()
    headers = [{**slot.headers, "X-Harness-Request": f"{number}.{user}"} for user in range(len(chosen))]
    with turn or nullcontext():
        begin = time.monotonic()
        before = host.watch(slot)
        order = locust.order(slot.address, case.requests, chosen, headers)
        answers, processes, stacks = _wait(host, slot, order, grace, before)
    follow_up: list[Answer] = []
    states: tuple[State, ...] = ()
    if not any(answer.failure == "open" for answer in answers):
        follow_up = _follow_up(locust, slot, host, number, grace)
        processes = host.watch(slot, processes)
        states = host.read_states(slot, sound(processes))
    pids = [each.process for each in processes]
    trial = Trial(
        number=number,
        slot=slot.name,
        begin=begin,
        end=time.monotonic(),
        answers=answers,
        follow_up=tuple(follow_up),
        processes=processes,
        inside=host.read_inside(slot, pids, begin),
        states=tuple(differing(each, reference) for each in states),
        stacks=stacks,
        log=host.take_log(slot, pids),
    )
    host.forget(slot, pids)
    return trial


def _wait(
    host: Host, slot: Slot, order: PendingAnswers, grace: float, before: tuple[WatchedProcess, ...]
) -> tuple[tuple[Answer, ...], tuple[WatchedProcess, ...], tuple[ThreadStack, ...]]:
    """The answers, the processes then, and what their threads were doing if they owe some. Looks at the threads now
    and then: a deadlock that can be proven is not waited for any longer."""
    waited, pause, watched = 0.0, LOOK_SECONDS, LOOK_WATCH_SECONDS
    while True:
        if pause >= grace - waited:
            pause, watched = grace - waited, IDLE_WATCH_SECONDS
        answers = order.wait(pause)
        waited += pause
        processes = host.watch(slot, before)
        if answers is None:
            processes = watch_idle(host, slot, processes, watched, order.wait)
            answers = order.wait(0)
        if answers is not None:
            return answers, processes, ()
        stacks = host.read_stacks(slot, hung(processes))
        if waited >= grace or any(each.for_good for each in stacks):
            return order.wait(0) or order.abandon(), processes, stacks
        pause *= 2


def _follow_up(locust: LocustClient, slot: Slot, host: Host, number: int, grace: float) -> list[Answer]:
    """Single requests to the same process, one after another: is it still sound?"""
    found: list[Answer] = []
    for turn in range(host.case.follow_up):
        index = turn % len(host.case.requests)
        headers = [{**slot.headers, "X-Harness-Request": f"{number}.f{turn}"}]
        order = locust.order(slot.address, host.case.requests, [index], headers)
        answers = order.wait(grace) or order.abandon()
        found += answers
        if answers[0].failure == "open":
            break
    return found


def sound(processes: Iterable[WatchedProcess]) -> list[ProcessId]:
    """Those that are there to stay: an old process may be ending because a restart asked it to."""
    return [each.process for each in processes if each.fresh and not each.gone]


def hung(processes: Iterable[WatchedProcess]) -> list[ProcessId]:
    """Those that are there and do nothing."""
    return [each.process for each in processes if each.idle and not each.gone]


def differing(state: State, reference: State | None) -> State:
    """Only what is not as in the reference: a state has hundreds of entries, and a run thousands of trials."""
    if reference is None:
        return state
    names = {**reference.entries, **state.entries}
    changed = {
        name: state.entries.get(name) for name in names if state.entries.get(name) != reference.entries.get(name)
    }
    return msgspec.structs.replace(state, entries=changed)


def watch_idle(
    host: Host,
    slot: Slot,
    processes: Iterable[WatchedProcess],
    seconds: float = IDLE_WATCH_SECONDS,
    wait: Callable[[float], object] = time.sleep,
) -> tuple[WatchedProcess, ...]:
    """Watch the CPU time of processes that owe answers: standing still is a hang, running is slow."""
    first = [(each, host.cpu_seconds(slot, each.process)) for each in processes]
    wait(seconds)
    done = []
    for each, before in first:
        after = host.cpu_seconds(slot, each.process)
        idle = before is not None and after is not None and after - before <= IDLE_CPU_SECONDS
        done.append(msgspec.structs.replace(each, idle=idle))
    return tuple(done)
