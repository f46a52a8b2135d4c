"""The stampede as a Locust user class.

The harness runs it through `harness.load.worker`. With the `locust` command alone it repeats a rendezvous of all
users, round after round, against a server that you have started:

    locust -f harness/load/locustfile.py --headless -u 15 -r 15 -t 10s --host http://127.0.0.1:8000

Each user opens its connection and waits until all others have opened theirs; then all are released at one moment.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from gevent.event import AsyncResult, Event
from gevent.queue import Queue
from locust import User, constant, events, task

from harness.load.wire import Exchange, request_bytes
from harness.records import MAX_BODY

LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass
class Gate:
    """Holds `expected` users until all have arrived, then releases them at one moment."""

    expected: int
    arrived: int = 0
    opened_at: float = 0.0
    _event: Event = field(default_factory=Event)

    def arrive(self) -> None:
        self.arrived += 1
        if self.arrived >= self.expected:
            self.opened_at = time.monotonic()
            self._event.set()

    def wait(self) -> None:
        self._event.wait()


@dataclass
class Ticket:
    """One request of a stampede, and its result. Times are CLOCK_MONOTONIC seconds."""

    address: tuple[str, int]
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    gate: Gate
    done: Callable[[Ticket], None]
    max_body: int = MAX_BODY
    name: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    exchange: Exchange | None = None

    @classmethod
    def of(cls, order: dict[str, Any], request: dict[str, Any], gate: Gate, done: Callable[[Ticket], None]) -> Self:
        """A ticket for one request of an order of the harness."""
        return cls(
            address=(order["address"][0], order["address"][1]),
            method=request["method"],
            path=request["path"],
            headers=request["headers"],
            body=request["body"].encode(),
            gate=gate,
            done=done,
            max_body=order["max_body"],
            name=request["method"] + " " + request["path"],
        )

    def run(self, environment: Any) -> None:
        """Connect, wait for the other users, send the request, and record the answer."""
        content = request_bytes(self.address, self.method, self.path, self.headers, self.body)
        one = self.exchange = Exchange(self.address, self.method, content, self.max_body)
        # What was recorded before is kept: see harness.load.steady.
        one.result.update(self.result)
        self.result = one.result
        try:
            connected = one.connect()
            self.gate.arrive()
            self.gate.wait()
            self.result["intended"] = self.gate.opened_at
            if connected:
                one.run()  # the harness decides how long to wait for the answer
        finally:
            one.close()
            self.done(self)
        begin = self.result.get("intended") or time.monotonic()
        environment.events.request.fire(
            request_type=self.method,
            name=self.name or self.path,
            response_time=(self.result.get("last_byte", time.monotonic()) - begin) * 1000,
            response_length=len(self.result.get("body", "")),
            exception=self._failure(),
            context={},
        )

    def _failure(self) -> Exception | None:
        failure = self.result.get("failure")
        if failure is not None:
            return ConnectionError(f"{failure}: {self.result.get('body', '')}")
        status = self.result["status"]
        return RuntimeError(f"status {status}") if status >= 500 else None

    def abandon(self) -> None:
        """End the request if its answer is still open."""
        if self.exchange is not None:
            self.exchange.abandon()


class StampedeUser(User):
    """Takes one ticket after another from the environment's stampede, and runs it."""

    wait_time = constant(0)

    @task
    def first_request(self) -> None:
        ticket = self.environment.stampede.take(self)
        if ticket is not None:
            ticket.run(self.environment)


class QueuedStampede:
    """Tickets that the harness puts into a queue."""

    def __init__(self) -> None:
        self._tickets: Queue = Queue()

    def put(self, ticket: Ticket) -> None:
        self._tickets.put(ticket)

    def take(self, _: User) -> Ticket:
        return self._tickets.get()  # type: ignore[no-any-return]


class RepeatingStampede:
    """Tickets of a plain `locust` run, in which all users meet again and again."""

    def __init__(self, host: str, users: int) -> None:
        parts = urlsplit(host)
        if parts.hostname not in LOOPBACK:
            raise SystemExit(f"the stampede is only for a server on this machine (127.0.0.1), not for {host}")
        self._address = (parts.hostname, parts.port or 80)
        self._path = parts.path or "/"
        self._users = users
        self._gate = Gate(users)
        self._round_over = AsyncResult()
        self._left = users

    def take(self, _: User) -> Ticket:
        return Ticket(self._address, "GET", self._path, {"Host": "localhost"}, b"", self._gate, self._done)

    def _done(self, _: Ticket) -> None:
        self._left -= 1
        if self._left:
            self._round_over.get()
            return
        over, self._round_over = self._round_over, AsyncResult()
        self._gate, self._left = Gate(self._users), self._users
        over.set(True)


@events.test_start.add_listener
def _repeat_by_default(environment: Any, **_: Any) -> None:
    if getattr(environment, "stampede", None) is None:
        users = environment.parsed_options.num_users or 1
        environment.stampede = RepeatingStampede(environment.host or "http://127.0.0.1:8000", users)
