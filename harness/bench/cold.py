"""What one cold process costs: its first request alone, then some when it is warm."""

from __future__ import annotations

import http.client
import statistics
import time

from harness.bench.records import ColdStart
from harness.errors import InfrastructureError
from harness.hosting.slot import ColdSlot
from harness.load.exchange import headers_of, proof_of
from harness.records import ProcessId, Request

WARM_REQUESTS = 5
MOST_ASKED = 100


def measure_cold(slot: ColdSlot, timeout: float) -> ColdStart:
    """Send a cold slot one request, and the same again a few times.

    `slot` must not have been asked since it was taken. `timeout` is in seconds.

    Raises:
        InfrastructureError: it does not answer.
    """
    request = slot.case.requests[0]
    first_ms, process, _ = _ask(slot, request, timeout)
    cpu_s = slot.cpu_seconds(process) if process else None
    warm: list[float] = []
    for _ in range(MOST_ASKED):
        took, _, count = _ask(slot, request, timeout)
        if count is None or count > 1:  # another process of the slot may be cold still
            warm.append(took)
        if len(warm) == WARM_REQUESTS:
            break
    else:
        raise InfrastructureError(f"{MOST_ASKED} requests have not met {WARM_REQUESTS} times a process that is warm")
    return ColdStart(
        first_ms=round(first_ms, 3),
        warm_ms=round(statistics.median(warm), 3),
        cpu_s=cpu_s,
        resident_mib=slot.resident_mib(process) if process else None,
    )


def _ask(slot: ColdSlot, request: Request, timeout: float) -> tuple[float, ProcessId | None, int | None]:
    """Milliseconds from the send to the last byte, connection included; who answered, and its how-manieth answer."""
    body = request.body.encode() or None
    headers = headers_of(request, {**slot.headers, "X-Harness-Request": "cold"})
    begin = time.perf_counter()
    connection = http.client.HTTPConnection(*slot.address, timeout=timeout)
    try:
        connection.request(request.method, request.path, body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        raise InfrastructureError(f"{request} to a cold process: {type(error).__name__}: {error}") from error
    finally:
        connection.close()
    took = 1000 * (time.perf_counter() - begin)
    return took, *proof_of({name.lower(): value for name, value in response.getheaders()})
