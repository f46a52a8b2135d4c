"""The harness's side of the Locust subprocess."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import msgspec

from harness.errors import BadInput, InfrastructureError
from harness.load.exchange import RequestResult, answer_of, message_of
from harness.records import MAX_BODY, Answer, Request
from harness.runtimes.limits import write_error

# Importing Locust and gevent takes a few seconds, on a busy machine many.
START_SECONDS = 60.0
# How long Locust may take to end its open requests, and to end itself: both are done in milliseconds.
ABANDON_SECONDS = 10.0
STOP_SECONDS = 5.0
# The end of its log that an error quotes: the exception, and the line that raised it.
LOG_LINES = 4


class WorkerReport(msgspec.Struct):
    """One message of the subprocess."""

    order: int = -1
    ready: bool = False
    results: list[RequestResult] = []


class PendingAnswers:
    """Requests that are under way; `wait` returns their answers."""

    def __init__(self, client: LocustClient, number: int, requests: Sequence[int]) -> None:
        self._client = client
        self._number = number
        self._requests = requests
        self.future: Future[list[RequestResult]] = Future()

    def wait(self, seconds: float) -> tuple[Answer, ...] | None:
        """The answers in the order of the users; None if some are still open after `seconds`."""
        try:
            results = self.future.result(seconds)
        except TimeoutError:
            return None
        return tuple(
            answer_of(result, user, request)
            for user, (request, result) in enumerate(zip(self._requests, results, strict=True))
        )

    def abandon(self) -> tuple[Answer, ...]:
        """End the requests that are open, and return all answers. Raises InfrastructureError: Locust does not react."""
        self._client.send({"abandon": self._number})
        answers = self.wait(ABANDON_SECONDS)
        if answers is None:
            raise InfrastructureError("the Locust subprocess does not react")
        return answers


class LocustClient:
    """Starts the subprocess, gives it orders from any thread, and ends it. A context manager."""

    def __init__(self, users: int, log: Path) -> None:
        self._users = users
        self._log = log
        self._numbers = itertools.count(1)
        self._open: dict[int, PendingAnswers] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        try:
            # For its user alone, as all that a run leaves.
            log = open(self._log, "wb", opener=lambda path, flags: os.open(path, flags, 0o600))
        except OSError as error:
            raise write_error(self._log, "Locust's log", error) from error
        ours, theirs = socket.socketpair()
        with theirs, log:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", *self._command(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        self._stream = ours.makefile("rwb")
        self._socket = ours
        ready: Future[None] = Future()
        self._reader = threading.Thread(target=self._read, args=(ready,), daemon=True)
        self._reader.start()
        try:
            ready.result(START_SECONDS)
        except BaseException as error:
            self.__exit__()
            if isinstance(error, TimeoutError | InfrastructureError):
                raise InfrastructureError(f"Locust did not start: {self._last_lines()}") from None
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):  # it has ended already
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(STOP_SECONDS)
        with contextlib.suppress(OSError):  # the order that it did not take any more
            self._stream.close()
        self._socket.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _command(self, descriptor: int) -> list[str]:
        """The module that the subprocess runs, and its arguments."""
        return ["harness.load.worker", str(descriptor), str(self._users)]

    def order(
        self,
        address: tuple[str, int],
        requests: Sequence[Request],
        chosen: Sequence[int],
        headers: list[dict[str, str]],
        max_body: int = MAX_BODY,
    ) -> PendingAnswers:
        """Send `requests[i]` for each i in `chosen`, all at one moment, each with its own extra headers; an answer with
        more than `max_body` bytes is cut. Raises BadInput, InfrastructureError: the address is not on this machine;
        Locust has ended, or has too few users."""
        if len(chosen) > self._users:  # they would wait for each other forever
            raise InfrastructureError(f"{len(chosen)} users are needed, but Locust was started with {self._users}")
        messages = [message_of(requests[index], extra) for index, extra in zip(chosen, headers, strict=True)]
        return self._begin(address, chosen, {"requests": messages, "max_body": max_body})

    def _begin(self, address: tuple[str, int], chosen: Sequence[int], order: dict[str, Any]) -> PendingAnswers:
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise BadInput(f"{address[0]} is not on this machine: load goes to 127.0.0.1 only")
        number = next(self._numbers)
        pending = PendingAnswers(self, number, chosen)
        with self._lock:
            self._open[number] = pending
        self.send({"order": number, "address": list(address), **order})
        return pending

    def send(self, message: dict[str, Any]) -> None:
        """Raises InfrastructureError: Locust has ended; the message has its last lines."""
        try:
            with self._lock:
                self._stream.write(msgspec.json.encode(message) + b"\n")
                self._stream.flush()
        except OSError as error:
            raise InfrastructureError(f"the Locust subprocess has ended: {self._last_lines()}") from error

    def _read(self, ready: Future[None]) -> None:
        decode = msgspec.json.Decoder(WorkerReport).decode
        try:
            for line in self._stream:
                report = decode(line)
                if report.ready:
                    ready.set_result(None)
                    continue
                with self._lock:
                    pending = self._open.pop(report.order)
                pending.future.set_result(report.results)
        except (OSError, ValueError):
            pass
        ended = InfrastructureError(f"the Locust subprocess has ended: {self._last_lines()}")
        if not ready.done():
            ready.set_exception(ended)
        with self._lock:
            for pending in self._open.values():
                pending.future.set_exception(ended)
            self._open.clear()

    def _last_lines(self) -> str:
        lines: list[str] = []
        with contextlib.suppress(OSError):
            lines = self._log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        return " / ".join(lines) or "no output"


class SteadyClient(LocustClient):
    """A constant arrival rate, made by one Locust process or by a Locust master and its `workers`."""

    def __init__(self, users: int, log: Path, workers: int = 0) -> None:
        """`users`: how many requests can be open at a time."""
        super().__init__(users, log)
        self._workers = workers

    def _command(self, descriptor: int) -> list[str]:
        return ["harness.load.steady", str(descriptor), str(self._users), str(self._workers)]

    def steady(
        self,
        address: tuple[str, int],
        requests: Sequence[Request],
        headers: dict[str, str],
        *,
        begin: float,
        rate: float,
        count: int,
        max_body: int = MAX_BODY,
    ) -> PendingAnswers:
        """Send `count` requests, the mix round robin, `rate` a second from `begin` (CLOCK_MONOTONIC) on. Raises
        BadInput, InfrastructureError: the address is not on this machine; Locust has ended."""
        messages = [message_of(request, headers) for request in requests]
        chosen = [number % len(requests) for number in range(count)]
        order = {"requests": messages, "begin": begin, "rate": rate, "count": count, "max_body": max_body}
        return self._begin(address, chosen, order)
