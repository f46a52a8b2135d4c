"""One HTTP exchange: what is sent, what is kept of the answer, and which process answered."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import requests

from harness.load.headers import KEPT_HEADERS
from harness.records import Answer, Failure, ProcessId, Request

# What every client of the harness sends, so that controls and stampedes differ in nothing else.
COMMON_HEADERS = {"User-Agent": "restart-harness", "Accept": "*/*", "Accept-Encoding": "identity"}


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


def exchange(address: tuple[str, int], request: Request, headers: Mapping[str, str], timeout: float) -> RequestResult:
    """Send a single request, and wait up to `timeout` seconds for its answer; recorded as Locust's users record it."""
    result = RequestResult(intended=time.monotonic())
    result.sent = result.intended
    try:
        response = send(address, request, headers, timeout)
    except requests.Timeout:
        result.failure = "open"
    except requests.ConnectionError as error:
        result.failure = "reset"
        result.body = str(error)
    else:
        result.first_byte = result.last_byte = time.monotonic()
        result.status = response.status_code
        result.body = response.content.decode("utf-8", "backslashreplace")
        kept = ((name.lower(), value) for name, value in response.headers.items())
        result.headers = {name: value for name, value in kept if name in KEPT_HEADERS}
    return result


def send(address: tuple[str, int], request: Request, headers: Mapping[str, str], timeout: float) -> requests.Response:
    """The response to a single request with just these headers. Raises requests.RequestException."""
    with requests.Session() as session:
        session.trust_env = False  # no proxy between the harness and its own server
        session.headers.clear()
        url = f"http://{address[0]}:{address[1]}{request.path}"
        body = request.body.encode() or None
        return session.request(request.method, url, data=body, headers=headers, timeout=timeout, allow_redirects=False)


def message_of(request: Request, extra: dict[str, str]) -> dict[str, Any]:
    """A request in the form that the subprocess reads."""
    headers = headers_of(request, extra)
    return {"method": request.method, "path": request.path, "body": request.body, "headers": headers}


def headers_of(request: Request, extra: dict[str, str]) -> dict[str, str]:
    """The headers of a request: the common ones, then `extra`, then its own, which override the others (Host too)."""
    headers = {**COMMON_HEADERS, **extra}
    if request.body and not any(name.lower() == "content-type" for name in request.headers):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return {**headers, **request.headers}


def answer_of(result: RequestResult, user: int, request: int) -> Answer:
    """A worker's result as an answer; which process gave it is taken from the probe's headers."""
    headers = dict(result.headers)
    process, count = proof_of(headers)
    return Answer.of(result, user=user, request=request, process=process, count=count, headers=headers)


def proof_of(headers: dict[str, str]) -> tuple[ProcessId | None, int | None]:
    """Remove the probe's headers (in lower case): which process answered, and its request count."""
    process, count = headers.pop("x-harness-process", None), headers.pop("x-harness-count", None)
    if process is None or count is None:
        return None, None
    pid, _, start = process.partition(":")
    try:
        return ProcessId(int(pid), int(start)), int(count)
    except ValueError:  # not of the probe: the site has sent headers of that name
        return None, None
