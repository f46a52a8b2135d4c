"""One cycle of one cell: a warm server under constant load is restarted, and watched until it has recovered."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.bench.cold import measure_cold
from harness.bench.plan import RestartLoad
from harness.bench.records import Cycle, SampleOutcome, Samples
from harness.checkers.yardstick import CONTROLS, ExpectedAnswer, Yardstick
from harness.errors import HarnessError, Inconclusive, InfrastructureError
from harness.hosting.host import Host
from harness.hosting.slot import ColdSlot
from harness.load.client import SteadyClient
from harness.proc import TICKS_PER_SECOND
from harness.records import UNENDED, Answer, ProcessId
from harness.run.control import control_on

# An order is given so long before its first send: by then it has reached every worker of the load generator.
LEAD_SECONDS = 0.1
# Seconds of load in which every process of a slot should have had its first request: the kernel hands connections to
# processes at random, and at 20 requests a second the last of eight has had one after a second or two.
WARM_ROUNDS = 10
# A send later than this counts as late: less is scheduling noise of a busy machine.
LATE_MS = 10.0
# With more late sends than this the rate was not kept, and the latencies say nothing about the server.
MOST_LATE = 0.5
Generations = Sequence[frozenset[ProcessId]]
"""The processes just before each restart."""


class BrokenScript(HarnessError):
    """The script fails one request at a time too: there is nothing to compare."""


@dataclass(frozen=True)
class _LoadRecord:
    """What a stretch of load with its restarts left."""

    answers: Sequence[Answer]
    begin: float
    restarts: Sequence[float]
    """When each restart was asked for."""
    alive: Generations
    slot: ColdSlot
    """The slot after the last restart."""


def run_cycle(
    host: Host, client: SteadyClient, load: RestartLoad, *, number: int, order: int, run_begin: float
) -> Cycle:
    """Run one cycle on a host that has been entered and has one slot. Raises BrokenScript: the controls fail;
    InfrastructureError: no process came back, the load ended, or its rate was not kept; BadInput, Inconclusive: the
    controls show nothing."""
    begun = time.monotonic()
    slot = host.take()
    yardstick = Yardstick.of(host.case.requests, [control_on(slot, turn + 1) for turn in range(CONTROLS)])
    if yardstick.broken is not None:
        raise BrokenScript(f"broken ({yardstick.broken.broken_class}): {yardstick.broken.summary}")
    if yardstick.inconclusive:
        raise Inconclusive(yardstick.inconclusive)
    _warm_up(client, slot, load.rate, yardstick.grace)
    record = _restart_under_load(host, client, slot, load, yardstick.grace)
    host.release(record.slot)
    slot = host.take()
    cold = None
    with contextlib.suppress(InfrastructureError):  # without an answer there is no cold start to report
        cold = measure_cold(slot, host.case.timeout)
    host.release(slot)
    late_sends, worst_late_ms = lateness(record.answers, load.rate)
    return Cycle(
        number=number,
        order=order,
        begin_s=round(begun - run_begin, 3),
        seconds=load.seconds,
        restarts_s=tuple(round(restart - record.begin, 4) for restart in record.restarts),
        born_s=births(record.answers, record.begin, yardstick.expected, record.alive),
        samples=samples_of(record.answers, record.begin, yardstick.expected, record.alive),
        cold=cold,
        late_sends=late_sends,
        worst_late_ms=round(worst_late_ms, 3),
    )


def lateness(answers: Sequence[Answer], rate: float) -> tuple[int, float]:
    """How many requests the load generator sent late (or never), and the longest delay in milliseconds. Raises
    InfrastructureError: so many that the rate was not kept, and the latencies say nothing about the server."""
    delays = [1000 * (answer.sent - answer.intended) for answer in answers if answer.sent is not None]
    count = sum(delay > LATE_MS for delay in delays) + len(answers) - len(delays)
    worst = max(delays, default=0.0)
    if count > MOST_LATE * len(answers):
        raise InfrastructureError(
            f"the load generator cannot keep {rate:g} requests/s: {count} of {len(answers)} were sent more than "
            f"{LATE_MS:g} ms late (the worst {worst:.0f} ms); lower --rate, or add --workers"
        )
    return count, worst


def _warm_up(client: SteadyClient, slot: ColdSlot, rate: float, grace: float) -> None:
    """Load without a restart, until every process of the slot has answered."""
    processes = {watched.process for watched in slot.watch()}
    warm: set[ProcessId] = set()
    for _ in range(WARM_ROUNDS):
        order = client.steady(
            slot.address,
            slot.case.requests,
            slot.headers,
            begin=time.monotonic() + LEAD_SECONDS,
            rate=rate,
            count=max(1, int(rate)),
            max_body=slot.case.max_body,
        )
        answers = order.wait(1.0 + grace) or order.abandon()
        warm.update(answer.process for answer in answers if answer.process is not None)
        if processes <= warm or not warm:  # in black-box mode no answer names its process
            return


def _restart_under_load(
    host: Host, client: SteadyClient, slot: ColdSlot, load: RestartLoad, grace: float
) -> _LoadRecord:
    begin = time.monotonic() + LEAD_SECONDS
    case = host.case
    order = client.steady(
        slot.address,
        case.requests,
        slot.headers,
        begin=begin,
        rate=load.rate,
        count=load.count,
        max_body=case.max_body,
    )
    restarts: list[float] = []
    alive: list[frozenset[ProcessId]] = []
    for at in load.restarts_at:
        time.sleep(max(0.0, begin + at - time.monotonic()))
        alive.append(frozenset(watched.process for watched in slot.watch() if not watched.gone))
        restarts.append(time.monotonic())
        host.release(slot)
        slot = host.take()
    answers = order.wait(max(0.0, begin + load.seconds - time.monotonic()) + grace)
    return _LoadRecord(answers or order.abandon(), begin, restarts, alive, slot)


def samples_of(
    answers: Sequence[Answer], begin: float, expected: Mapping[int, ExpectedAnswer], alive: Generations
) -> Samples:
    """The answers as columns."""
    answers = sorted(answers, key=lambda answer: answer.intended)
    return Samples(
        intended_s=tuple(round(answer.intended - begin, 4) for answer in answers),
        latency_ms=tuple(
            round(1000 * (answer.last_byte - answer.intended), 3) if answer.last_byte is not None else None
            for answer in answers
        ),
        outcome=tuple(outcome_of(answer, expected.get(answer.request)) for answer in answers),
        request=tuple(answer.request for answer in answers),
        process=tuple(_generation(answer.process, alive) for answer in answers),
    )


def births(
    answers: Sequence[Answer], begin: float, expected: Mapping[int, ExpectedAnswer], alive: Generations
) -> tuple[float | None, ...]:
    """When the process started that gave the first good answer after each restart, in seconds from `begin`."""
    # A start time counts from the boot of the machine, its sleep included (proc(5)); all else is CLOCK_MONOTONIC.
    shift = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    starts: list[float | None] = []
    for number in range(1, len(alive) + 1):
        good = [
            (answer.last_byte, answer.process)
            for answer in answers
            if answer.last_byte is not None
            and answer.process is not None
            and _generation(answer.process, alive) == number
            and outcome_of(answer, expected.get(answer.request)) == "ok"
        ]
        first = min(good, default=None)
        starts.append(None if first is None else round(first[1].start / TICKS_PER_SECOND - shift - begin, 3))
    return tuple(starts)


def outcome_of(answer: Answer, expected: ExpectedAnswer | None) -> SampleOutcome:
    """The outcome of one request under load, by the answers of the controls."""
    if answer.failure in UNENDED:
        return "hung"
    if answer.failure in ("truncated", "malformed"):
        return "error"
    if answer.failure is not None or answer.status is None:
        return "dropped"
    if expected is None or answer.status not in expected.statuses:
        return "error" if answer.status >= 500 else "wrong"
    headers_match = all(template.matches(answer.headers.get(name, "")) for name, template in expected.headers.items())
    return "ok" if headers_match and expected.body.matches(answer.body) else "wrong"


def _generation(process: ProcessId | None, alive: Generations) -> int | None:
    """After how many restarts a process started; 0: it was there before the first."""
    if process is None:
        return None
    return next((number for number, processes in enumerate(alive) if process in processes), len(alive))
