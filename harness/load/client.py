"""The harness' side of the Locust subprocess."""

from __future__ import annotations

import ipaddress
import itertools
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
from harness.load.exchange import RequestResult, answer_of, described
from harness.records import Answer, Request

START_SECONDS = 60.0


class WorkerReport(msgspec.Struct):
    order: int = -1
    ready: bool = False
    results: list[RequestResult] = []


class PendingAnswers:
    """Requests under way; `wait` for their answers."""

    def __init__(self, client: LocustClient, number: int, requests: Sequence[int]) -> None:
        self._client = client
        self._number = number
        self._requests = requests
        self.future: Future[list[RequestResult]] = Future()

    def wait(self, seconds: float) -> tuple[Answer, ...] | None:
        """The answers, in the order of the users; None while some are still open after `seconds`."""
        try:
            results = self.future.result(seconds)
        except TimeoutError:
            return None
        return tuple(
            answer_of(result, user, request)
            for user, (request, result) in enumerate(zip(self._requests, results, strict=True))
        )

    def abandon(self) -> tuple[Answer, ...]:
        """End what is open. Raises InfrastructureError if Locust does not react."""
        self._client.send({"abandon": self._number})
        answers = self.wait(10.0)
        if answers is None:
            raise InfrastructureError("the Locust subprocess does not react")
        return answers


class LocustClient:
    """Starts the subprocess, hands it orders from any thread, and ends it. A context manager."""

    def __init__(self, users: int, log: Path) -> None:
        self._users = users
        self._log = log
        self._numbers = itertools.count(1)
        self._open: dict[int, PendingAnswers] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        with theirs, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._command(theirs.fileno())],
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
        self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reader.join(5)
        self._stream.close()
        self._socket.close()

    @property
    def pid(self) -> int:
        return self._process.pid

    def _command(self, descriptor: int) -> list[str]:
        """The module of the subprocess, and its arguments."""
        return ["harness.load.worker", str(descriptor), str(self._users)]

    def order(
        self,
        address: tuple[str, int],
        requests: Sequence[Request],
        chosen: Sequence[int],
        headers: list[dict[str, str]],
    ) -> PendingAnswers:
        """Send `requests[i]` for each i in `chosen`, all at one moment, with these extra headers each."""
        if len(chosen) > self._users:
            # They would wait for each other for ever.
            raise InfrastructureError(f"{len(chosen)} users were asked for, and Locust was started with {self._users}")
        wanted = [described(requests[index], extra) for index, extra in zip(chosen, headers, strict=True)]
        return self._begin(address, chosen, {"requests": wanted})

    def _begin(self, address: tuple[str, int], chosen: Sequence[int], what: dict[str, Any]) -> PendingAnswers:
        """Give an order. Raises BadInput for an address that is not this machine's own."""
        if not ipaddress.ip_address(address[0]).is_loopback:
            raise BadInput(f"{address[0]} is not this machine: load goes to 127.0.0.1 only")
        number = next(self._numbers)
        order = PendingAnswers(self, number, chosen)
        with self._lock:
            self._open[number] = order
        self.send({"order": number, "address": list(address), **what})
        return order

    def send(self, message: dict[str, Any]) -> None:
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
                    order = self._open.pop(report.order)
                order.future.set_result(report.results)
        except (OSError, ValueError):
            pass
        ended = InfrastructureError(f"the Locust subprocess has ended: {self._last_lines()}")
        if not ready.done():
            ready.set_exception(ended)
        with self._lock:
            for order in self._open.values():
                order.future.set_exception(ended)
            self._open.clear()

    def _last_lines(self) -> str:
        try:
            return " / ".join(self._log.read_text(errors="replace").splitlines()[-4:]) or "no output"
        except OSError:
            return "no output"


class SteadyClient(LocustClient):
    """A constant arrival rate, by one Locust process or (`workers`) by a Locust master and its workers."""

    def __init__(self, users: int, log: Path, workers: int = 0) -> None:
        """`users`: how many requests may be open at a time."""
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
    ) -> PendingAnswers:
        """Send `count` requests, the mix dealt round, `rate` a second from `begin` (CLOCK_MONOTONIC) on."""
        wanted = [described(request, headers) for request in requests]
        chosen = [number % len(requests) for number in range(count)]
        return self._begin(address, chosen, {"requests": wanted, "begin": begin, "rate": rate, "count": count})
