"""One HTTP exchange: what is sent, what is kept of the answer, and whose answer it was."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import msgspec
import requests

from harness.load.headers import KEPT_HEADERS
from harness.records import Answer, Failure, ProcessId, Request

# What every client of the harness sends, so that the control and the stampede ask the same question.
COMMON_HEADERS = {"User-Agent": "restart-harness", "Accept": "*/*", "Accept-Encoding": "identity"}


class RequestResult(msgspec.Struct):
    """One request as the worker reports it."""

    intended: float = 0.0
    sent: float | None = None
    first_byte: float | None = None
    last_byte: float | None = None
    status: int | None = None
    failure: Failure | None = None
    headers: dict[str, str] = {}
    body: str = ""


def exchange(address: tuple[str, int], request: Request, headers: Mapping[str, str], timeout: float) -> RequestResult:
    """Send a request alone, and wait up to `timeout` seconds for its answer; the same record as of a Locust user."""
    result = RequestResult(intended=time.monotonic())
    result.sent = result.intended
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and our own server
        session.headers.clear()
        try:
            response = session.request(
                request.method,
                f"http://{address[0]}:{address[1]}{request.path}",
                data=request.body.encode() or None,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            )
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


def described(request: Request, extra: dict[str, str]) -> dict[str, Any]:
    """A request as the subprocess takes it."""
    return {
        "method": request.method,
        "path": request.path,
        "body": request.body,
        "headers": headers_of(request, extra),
    }


def headers_of(request: Request, extra: dict[str, str]) -> dict[str, str]:
    """What is sent: common headers, the harness' own, then the request's, which win (Host among them)."""
    headers = {**COMMON_HEADERS, **extra}
    if request.body and not any(name.lower() == "content-type" for name in request.headers):
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    return {**headers, **request.headers}


def answer_of(result: RequestResult, user: int, request: int) -> Answer:
    """A worker's result as an answer, with the probe's proof taken out of its headers."""
    headers = dict(result.headers)
    process, count = proof_of(headers)
    return Answer(
        user=user,
        request=request,
        intended=result.intended,
        sent=result.sent,
        first_byte=result.first_byte,
        last_byte=result.last_byte,
        status=result.status,
        failure=result.failure,
        headers=headers,
        body=result.body,
        process=process,
        count=count,
    )


def proof_of(headers: dict[str, str]) -> tuple[ProcessId | None, int | None]:
    """Take the probe's proof out of (lower-case) headers."""
    process, count = headers.pop("x-harness-process", None), headers.pop("x-harness-count", None)
    if process is None or count is None:
        return None, None
    pid, _, start = process.partition(":")
    return ProcessId(int(pid), int(start)), int(count)
