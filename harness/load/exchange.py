"""One HTTP exchange: what is sent, what is kept of the answer, and which process answered."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

import msgspec

from harness.cases import redaction
from harness.load.wire import CONNECT_SECONDS, Exchange, request_bytes
from harness.records import MAX_BODY, Answer, Failure, ProcessId, Request

# What every client of the harness sends, so that controls and stampedes differ in nothing else.
COMMON_HEADERS = {"User-Agent": "restart-harness", "Accept": "*/*", "Accept-Encoding": "identity"}
# As the probe writes them: a number of 32 and one of 64 bits.
_PROCESS = re.compile(r"([0-9]{1,10}):([0-9]{1,18})")
_COUNT = re.compile(r"[0-9]{1,18}")


class RequestResult(msgspec.Struct):
    """One request as the worker reports it, or `exchange`."""

    intended: float = 0.0
    sent: float | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    failure: Failure | None = None
    headers: dict[str, str] = {}
    body: str = ""
    """Of a failure: what went wrong."""


def exchange(
    address: tuple[str, int], request: Request, headers: Mapping[str, str], timeout: float, max_body: int = MAX_BODY
) -> RequestResult:
    """Send a single request, and wait up to `timeout` seconds for the end of its answer; recorded as Locust's users
    record it. `headers`: see `headers_of`."""
    intended = time.monotonic()
    content = request_bytes(address, request.method, request.path, headers, request.body.encode())
    one = Exchange(address, request.method, content, max_body)
    try:
        if one.connect(min(timeout, CONNECT_SECONDS)):
            one.run(timeout)
    finally:
        one.close()
    return RequestResult(**{"intended": intended, "sent": intended, **one.result})


def message_of(request: Request, extra: dict[str, str]) -> dict[str, Any]:
    """A request in the form that the subprocess reads."""
    headers = headers_of(request, extra)
    return {"method": request.method, "path": request.path, "body": request.body, "headers": headers}


def headers_of(request: Request, extra: Mapping[str, str]) -> dict[str, str]:
    """The headers of a request: the common ones, then `extra`, then its own, which override the others (Host too),
    however they are spelt."""
    common = {**COMMON_HEADERS, **extra}
    if request.body:
        common["Content-Type"] = "application/x-www-form-urlencoded"
    own = {name.lower() for name in request.headers}
    return {**{name: value for name, value in common.items() if name.lower() not in own}, **request.headers}


def answer_of(result: RequestResult, user: int, request: int) -> Answer:
    """A worker's result as an answer; which process gave it is taken from the probe's headers."""
    headers = dict(result.headers)
    process, count = proof_of(headers)
    headers = {name: redaction.header(name, value) for name, value in headers.items()}
    return Answer.of(result, user=user, request=request, process=process, count=count, headers=headers)


def proof_of(headers: dict[str, str]) -> tuple[ProcessId | None, int | None]:
    """Remove the probe's headers (in lower case): which process answered, and its request count. What the probe would
    not write is of the site, and says nothing."""
    process = _PROCESS.fullmatch(headers.pop("x-harness-process", ""))
    count = _COUNT.fullmatch(headers.pop("x-harness-count", ""))
    if process is None or count is None:
        return None, None
    return ProcessId(int(process[1]), int(process[2])), int(count[0])
