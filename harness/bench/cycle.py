"""One cycle of one cell: a warm server under constant load, restarted, watched until it is itself again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence

from harness.bench.cold import measure_cold
from harness.bench.plan import RestartLoad
from harness.bench.records import Cycle, SampleOutcome, Samples
from harness.checkers.yardstick import CONTROLS, ExpectedAnswer, Yardstick
from harness.errors import HarnessError, Inconclusive, InfrastructureError
from harness.hosting.host import Host
from harness.hosting.slot import ColdSlot
from harness.load.client import SteadyClient
from harness.proc import TICKS_PER_SECOND
from harness.records import Answer, ProcessId
from harness.run.control import control_on

LEAD_SECONDS = 0.1
# A process that has answered its first requests under load is warm. So many rounds of a second may that take.
WARM_ROUNDS = 10
# A send later than this was late by the load generator's own doing.
LATE_MS = 10.0
# More of them than this: the rate was not kept, and nothing measured is about the server.
MOST_LATE = 0.5


class Broken(HarnessError):
    """The script fails one request at a time too: there is nothing to compare."""


def run_cycle(
    host: Host, client: SteadyClient, load: RestartLoad, *, number: int, order: int, run_begin: float
) -> Cycle:
    """Run one cycle on a host that has been entered and has one slot.

    Raises:
        Broken: the controls fail.
        InfrastructureError: no process came back, the load ended, or its rate was not kept at all.
        BadInput, Inconclusive: what the controls answer proves nothing.
    """
    begun = time.monotonic()
    slot = host.take()
    yardstick = Yardstick.of(host.case.requests, [control_on(slot, turn + 1) for turn in range(CONTROLS)])
    if yardstick.broken is not None:
        raise Broken(f"broken ({yardstick.broken.broken_class}): {yardstick.broken.summary}")
    if yardstick.inconclusive:
        raise Inconclusive(yardstick.inconclusive)
    _warm_up(client, slot, load.rate, yardstick.grace)
    answers, begin, restarts, known, slot = _under_load(host, client, slot, load, yardstick.grace)
    host.release(slot)
    slot = host.take()
    cold = None
    with contextlib.suppress(InfrastructureError):  # it does not answer: then there is nothing to tell
        cold = measure_cold(slot, host.case.timeout)
    host.release(slot)
    late_sends, worst_late_ms = lateness(answers, load.rate)
    expected = yardstick.expected
    return Cycle(
        number=number,
        order=order,
        begin_s=round(begun - run_begin, 3),
        seconds=load.seconds,
        restarts_s=tuple(round(each - begin, 4) for each in restarts),
        born_s=births(answers, begin, expected, known),
        samples=samples_of(answers, begin, expected, known),
        cold=cold,
        late_sends=late_sends,
        worst_late_ms=round(worst_late_ms, 3),
    )


def lateness(answers: Sequence[Answer], rate: float) -> tuple[int, float]:
    """How many requests the load generator itself sent late (or never), and by how many milliseconds the worst.

    Raises:
        InfrastructureError: so many that the rate was not kept, and nothing measured is about the server.
    """
    late = [1000 * (each.sent - each.intended) for each in answers if each.sent is not None]
    count = sum(each > LATE_MS for each in late) + len(answers) - len(late)
    worst = max(late, default=0.0)
    if count > MOST_LATE * len(answers):
        raise InfrastructureError(
            f"the load generator cannot keep {rate:g} requests/s: {count} of {len(answers)} were sent more than "
            f"{LATE_MS:g} ms late (the worst {worst:.0f} ms); lower --rate, or add --workers"
        )
    return count, worst


def _warm_up(client: SteadyClient, slot: ColdSlot, rate: float, grace: float) -> None:
    """Load without a restart, until every process of the slot has answered."""
    wanted = {watched.process for watched in slot.watch()}
    met: set[ProcessId] = set()
    for _ in range(WARM_ROUNDS):
        order = client.steady(
            slot.address,
            slot.case.requests,
            slot.headers,
            begin=time.monotonic() + LEAD_SECONDS,
            rate=rate,
            count=max(1, int(rate)),
        )
        answers = order.wait(1.0 + grace) or order.abandon()
        met.update(each.process for each in answers if each.process is not None)
        if wanted <= met or not met:  # nobody says who it is: black-box mode
            return


def _under_load(
    host: Host, client: SteadyClient, slot: ColdSlot, load: RestartLoad, grace: float
) -> tuple[Sequence[Answer], float, list[float], list[frozenset[ProcessId]], ColdSlot]:
    """The answers, when the load and each restart began, the processes alive before each restart, and the slot."""
    begin = time.monotonic() + LEAD_SECONDS
    order = client.steady(slot.address, host.case.requests, slot.headers, begin=begin, rate=load.rate, count=load.count)
    restarts: list[float] = []
    known: list[frozenset[ProcessId]] = []
    for at in load.restarts_at:
        time.sleep(max(0.0, begin + at - time.monotonic()))
        known.append(frozenset(watched.process for watched in slot.watch() if not watched.gone))
        restarts.append(time.monotonic())
        host.release(slot)
        slot = host.take()
    answers = order.wait(max(0.0, begin + load.seconds - time.monotonic()) + grace)
    return answers or order.abandon(), begin, restarts, known, slot


def samples_of(
    answers: Sequence[Answer],
    begin: float,
    expected: Mapping[int, ExpectedAnswer],
    known: Sequence[frozenset[ProcessId]],
) -> Samples:
    """The answers as columns; `known` are the processes that were alive just before each restart."""
    answers = sorted(answers, key=lambda each: each.intended)
    outcomes = tuple(outcome_of(each, expected.get(each.request)) for each in answers)
    return Samples(
        intended_s=tuple(round(each.intended - begin, 4) for each in answers),
        latency_ms=tuple(
            round(1000 * (each.last_byte - each.intended), 3) if each.last_byte is not None else None
            for each in answers
        ),
        outcome=outcomes,
        request=tuple(each.request for each in answers),
        process=tuple(_generation(each.process, known) for each in answers),
    )


def births(
    answers: Sequence[Answer],
    begin: float,
    expected: Mapping[int, ExpectedAnswer],
    known: Sequence[frozenset[ProcessId]],
) -> tuple[float | None, ...]:
    """When the process was born that gave the first good answer after each restart, in seconds from `begin`."""
    # A start time counts from the boot of the machine, its sleep included (proc(5)); all else is CLOCK_MONOTONIC.
    shift = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    found: list[float | None] = []
    for number in range(1, len(known) + 1):
        good = [
            (each.last_byte, each.process)
            for each in answers
            if each.last_byte is not None
            and each.process is not None
            and _generation(each.process, known) == number
            and outcome_of(each, expected.get(each.request)) == "ok"
        ]
        first = min(good, default=None)
        found.append(None if first is None else round(first[1].start / TICKS_PER_SECOND - shift - begin, 3))
    return tuple(found)


def outcome_of(answer: Answer, expected: ExpectedAnswer | None) -> SampleOutcome:
    """What became of one request under load, judged by what the controls were answered."""
    if answer.failure == "open":
        return "hung"
    if answer.failure is not None or answer.status is None:
        return "dropped"
    if expected is None or answer.status not in expected.statuses:
        return "error" if answer.status >= 500 else "wrong"
    headers_match = all(template.matches(answer.headers.get(name, "")) for name, template in expected.headers.items())
    return "ok" if headers_match and expected.body.matches(answer.body) else "wrong"


def _generation(process: ProcessId | None, known: Sequence[frozenset[ProcessId]]) -> int | None:
    """After how many restarts a process came: those that were there before the first are 0."""
    if process is None:
        return None
    return next((number for number, alive in enumerate(known) if process in alive), len(known))
