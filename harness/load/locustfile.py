"""The stampede as a Locust user class.

The harness runs it through `harness.load.worker`. With the `locust` command alone it repeats a rendezvous of all
users, round after round, against a server that you have started:

    locust -f harness/load/locustfile.py --headless -u 15 -r 15 -t 10s --host http://127.0.0.1:8000

Each user opens its connection and waits until all others have opened theirs; then all are released at one moment.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

from gevent.event import AsyncResult, Event
from gevent.queue import Queue
from locust import User, constant, events, task

from harness.load.headers import KEPT_HEADERS

LOOPBACK = ("127.0.0.1", "localhost", "::1")
# A server on this machine accepts at once, unless its backlog is full; then it is not going to in the next seconds.
CONNECT_SECONDS = 10.0


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
    name: str = ""
    result: dict[str, Any] = field(default_factory=dict)
    connection: http.client.HTTPConnection | None = None
    abandoned: bool = False

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
            name=request["method"] + " " + request["path"],
        )

    def run(self, environment: Any) -> None:
        """Connect, wait for the other users, send the request, and record the answer."""
        result = self.result
        error: Exception | None = None
        try:
            self._connect()
            self.gate.arrive()
            self.gate.wait()
            result["intended"] = self.gate.opened_at
            if "failure" not in result:
                self._exchange()
        except Exception as caught:  # noqa: BLE001 - whatever a socket or a parser raises, the answer is lost
            error = caught
            result["failure"] = "open" if self.abandoned else "reset"
            result["body"] = f"{type(caught).__name__}: {caught}"
        finally:
            if self.connection is not None:
                self.connection.close()
            self.done(self)
        begin = result.get("intended") or time.monotonic()
        environment.events.request.fire(
            request_type=self.method,
            name=self.name or self.path,
            response_time=(result.get("last_byte", time.monotonic()) - begin) * 1000,
            response_length=len(result.get("body", "")),
            exception=error or self._failure(),
            context={},
        )

    def _failure(self) -> Exception | None:
        status = self.result.get("status")
        if status is None:
            return ConnectionError(self.result.get("failure", "no answer"))
        return RuntimeError(f"status {status}") if status >= 500 else None

    def _connect(self) -> None:
        connection = self.connection = http.client.HTTPConnection(*self.address, timeout=CONNECT_SECONDS)
        try:
            connection.connect()
        except OSError as error:
            self.result["failure"] = "refused"
            self.result["body"] = str(error)
            return
        connection.sock.settimeout(None)  # the harness decides how long to wait for the answer
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _exchange(self) -> None:
        connection, result = self.connection, self.result
        assert connection is not None
        own_host = any(name.lower() == "host" for name in self.headers)
        connection.putrequest(self.method, self.path, skip_host=own_host, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        if self.body or self.method in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(self.body)))
        result["sent"] = time.monotonic()
        connection.endheaders(self.body or None)
        connection.sock.recv(1, socket.MSG_PEEK)
        result["first_byte"] = time.monotonic()
        response = connection.getresponse()
        body = response.read()
        result["last_byte"] = time.monotonic()
        result["status"] = response.status
        headers = {name.lower(): value for name, value in response.getheaders()}
        result["headers"] = {name: value for name, value in headers.items() if name in KEPT_HEADERS}
        result["body"] = body.decode("utf-8", "backslashreplace")

    def abandon(self) -> None:
        """End the request if its answer is still open."""
        if not self.result.get("last_byte"):
            self.abandoned = True
            if self.connection is not None and self.connection.sock is not None:
                try:
                    self.connection.sock.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self.connection.close()


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
