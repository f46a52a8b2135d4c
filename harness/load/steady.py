"""A constant arrival rate by Locust: requests are sent at their intended moments, whether or not others are answered.

    python -m harness.load.steady DESCRIPTOR USERS WORKERS

receives orders over a socket, as `harness.load.worker` does. An order is `{"order": n, "address": [host, port],
"requests": [...], "begin": CLOCK_MONOTONIC seconds, "rate": requests a second, "count": number of requests,
"max_body": bytes}`; its report `{"order": n, "results": [...]}` is sent when the last request has ended.
`{"abandon": n}` ends open requests.

With WORKERS this process is a Locust master, which starts that many Locust workers on this machine, where all read the
same clock, and shares the arrivals among them. If a worker dies, the load ends: a rate that is no longer kept must not
look like a quiet server.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.queue import Queue
from locust import User, constant, task
from locust.env import Environment

from harness.load import local_rpc
from harness.load.locustfile import Gate, Ticket
from harness.load.orders import OrderSocket

# Importing Locust takes a worker a few seconds, on a busy machine many.
START_SECONDS = 30.0
# How often workers are looked at: the harness should hear of a dead one within a second.
WATCH_SECONDS = 0.2
# How often it is checked whether all workers or users are there.
POLL_SECONDS = 0.02


@dataclass
class ArrivalGate(Gate):
    """The gate of one arrival, which comes at its intended moment and is not held up."""

    def arrive(self) -> None:
        pass

    def wait(self) -> None:
        pass


@dataclass
class Arrival(Ticket):
    """A request that is due. It counts as sent when a user takes it: the time that a connection waits is the server's,
    the time that an arrival waits for a user is the generator's."""

    def run(self, environment: Any) -> None:
        self.result["begun"] = time.monotonic()
        super().run(environment)


class SteadyUser(User):
    """Takes one arrival after another."""

    wait_time = constant(0)

    @task
    def request(self) -> None:
        self.environment.arrivals.get().run(self.environment)


@dataclass
class ArrivalSender:
    """Sends one process's share of the arrivals of each order."""

    environment: Any
    open: dict[int, list[Arrival]] = field(default_factory=dict)

    def start(self, order: dict[str, Any]) -> None:
        gevent.spawn(self._send, order)

    def _send(self, order: dict[str, Any]) -> None:
        first, step = order["share"]
        numbers = range(first, order["count"], step)
        results: dict[int, dict[str, Any]] = {}
        arrivals = self.open[order["order"]] = []

        def done(number: int, ticket: Ticket) -> None:
            results[number] = {**ticket.result, "sent": ticket.result.pop("begun", None)}
            if len(results) == len(numbers):
                del self.open[order["order"]]
                share = {"order": order["order"], "results": sorted(results.items())}
                self.environment.runner.send_message("results", share)

        for number in numbers:
            request = order["requests"][number % len(order["requests"])]
            due = order["begin"] + number / order["rate"]
            arrival = Arrival.of(order, request, ArrivalGate(1, opened_at=due), functools.partial(done, number))
            arrival.headers = {**arrival.headers, "X-Harness-Request": f"{order['order']}.{number}"}
            gevent.sleep(max(0.0, due - time.monotonic()))
            arrivals.append(arrival)
            self.environment.arrivals.put(arrival)

    def abandon(self, order: int) -> None:
        for arrival in self.open.get(order, []):
            arrival.abandon()


class Coordinator:
    """Shares orders among the processes that send them, and puts their results together for the harness."""

    def __init__(self, environment: Any, send: Callable[[dict[str, Any]], None]) -> None:
        self._runner = environment.runner
        self._send = send
        self._results: dict[int, dict[int, Any]] = {}
        self._counts: dict[int, int] = {}

    def start(self, order: dict[str, Any]) -> None:
        self._results[order["order"]], self._counts[order["order"]] = {}, order["count"]
        workers: list[str | None] = sorted(getattr(self._runner, "clients", ())) or [None]
        for index, worker in enumerate(workers):
            self._runner.send_message("order", {**order, "share": [index, len(workers)]}, worker)

    def abandon(self, order: int) -> None:
        self._runner.send_message("abandon", {"order": order})

    def receive(self, share: dict[str, Any]) -> None:
        order = share["order"]
        results = self._results[order]
        results.update(dict(share["results"]))
        if len(results) == self._counts[order]:
            del self._results[order], self._counts[order]
            self._send({"order": order, "results": [results[number] for number in sorted(results)]})


def make_environment() -> Any:
    environment = Environment(user_classes=[SteadyUser])
    environment.arrivals = Queue()
    return environment


def listen(environment: Any) -> None:
    """Send this process's share of each order."""
    sender = ArrivalSender(environment)
    environment.runner.register_message("order", lambda msg, **_: sender.start(msg.data))
    environment.runner.register_message("abandon", lambda msg, **_: sender.abandon(msg.data["order"]))


def be_worker(path: str) -> None:
    """Be a Locust worker until the master is gone; `path` is that of the master's socket."""
    local_rpc.use()
    environment = make_environment()
    environment.create_worker_runner(path, 0)
    listen(environment)
    gevent.get_hub().threadpool.spawn(sys.stdin.read).get()  # the master holds the other end
    os._exit(0)


def start_workers(environment: Any, count: int) -> list[subprocess.Popen[bytes]]:
    """Become a Locust master, and start `count` workers. Raises RuntimeError: they do not connect."""
    local_rpc.use()
    # The socket is needed until all have connected.
    with tempfile.TemporaryDirectory(prefix="harness-locust-") as directory:
        path = f"{directory}/master"
        runner = environment.create_master_runner(path, 0)
        command = [sys.executable, "-P", "-m", "harness.load.steady", "worker", path]
        workers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(count)]
        deadline = time.monotonic() + START_SECONDS
        while len(runner.clients) < count:
            if time.monotonic() > deadline or any(worker.poll() is not None for worker in workers):
                raise RuntimeError(f"only {len(runner.clients)} of {count} Locust workers have connected")
            gevent.sleep(POLL_SECONDS)
    return workers


def guard(workers: list[subprocess.Popen[bytes]]) -> None:
    """End the load when a worker ends."""
    while True:
        for number, worker in enumerate(workers, 1):
            if worker.poll() is not None:
                sys.stderr.write(f"Locust worker {number} of {len(workers)} ended with code {worker.returncode}\n")
                finish(workers)
        gevent.sleep(WATCH_SECONDS)


def finish(workers: list[subprocess.Popen[bytes]]) -> None:
    """End at once, and leave nothing running. Not runner.quit(): it waits for users, which may wait forever."""
    for worker in workers:
        worker.kill()
    sys.stderr.flush()
    os._exit(0)


def main() -> None:
    if sys.argv[1] == "worker":
        be_worker(sys.argv[2])
    descriptor, users, count = map(int, sys.argv[1:])
    orders = OrderSocket(descriptor)
    environment = make_environment()
    workers: list[subprocess.Popen[bytes]] = []
    try:
        if count:
            workers = start_workers(environment, count)
            gevent.spawn(guard, workers)
        else:
            environment.create_local_runner()
            listen(environment)
        coordinator = Coordinator(environment, orders.send)
        environment.runner.register_message("results", lambda msg, **_: coordinator.receive(msg.data))
        environment.runner.start(user_count=users, spawn_rate=users)
        while environment.runner.user_count < users:
            gevent.sleep(POLL_SECONDS)
        orders.serve(coordinator.start, coordinator.abandon)
    except Exception:  # noqa: BLE001 - goes to the log, whose last lines the harness quotes
        traceback.print_exc()
    finally:
        finish(workers)


if __name__ == "__main__":
    main()
