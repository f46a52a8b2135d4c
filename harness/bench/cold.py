"""What one cold process costs: its first request alone, then some warm ones."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

from harness.bench.records import ColdStart
from harness.errors import InfrastructureError
from harness.hosting.slot import ColdSlot
from harness.load.exchange import exchange, headers_of, proof_of
from harness.records import ProcessId, Request

# Their median is the warm latency: five are enough to outvote two outliers.
WARM_REQUESTS = 5
# With several processes in a slot a request may meet another cold one: after so many, all should have been warm.
MOST_REQUESTS = 100


@dataclass(frozen=True)
class _TimedAnswer:
    """One answer: how long it took, which process answered, and its request count."""

    milliseconds: float
    process: ProcessId | None
    count: int | None


def measure_cold(slot: ColdSlot, timeout: float) -> ColdStart:
    """Send a cold slot one request, and the same again until some were warm.

    Nothing must have been sent to `slot` since it was taken. `timeout` is in seconds. Raises InfrastructureError: it
    does not answer."""
    request = slot.case.requests[0]
    first = _time_request(slot, request, timeout)
    cpu_s = slot.cpu_seconds(first.process) if first.process else None
    warm: list[float] = []
    for _ in range(MOST_REQUESTS):
        answer = _time_request(slot, request, timeout)
        if answer.count is None or answer.count > 1:  # another process of the slot may still be cold
            warm.append(answer.milliseconds)
        if len(warm) == WARM_REQUESTS:
            break
    else:
        raise InfrastructureError(f"only {len(warm)} of {MOST_REQUESTS} requests met a warm process")
    return ColdStart(
        first_ms=round(first.milliseconds, 3),
        warm_ms=round(statistics.median(warm), 3),
        cpu_s=cpu_s,
        resident_mib=slot.resident_mib(first.process) if first.process else None,
    )


def _time_request(slot: ColdSlot, request: Request, timeout: float) -> _TimedAnswer:
    """Send one request: the time from the send to the last byte, connection included. Raises InfrastructureError: it
    does not answer."""
    headers = headers_of(request, {**slot.headers, "X-Harness-Request": "cold"})
    begin = time.perf_counter()
    result = exchange(slot.address, request, headers, timeout, slot.case.max_body)
    took = 1000 * (time.perf_counter() - begin)
    if result.failure is not None:
        raise InfrastructureError(f"{request} to a cold process: {result.failure} {result.body}".rstrip())
    return _TimedAnswer(took, *proof_of(result.headers))
