"""A constant arrival rate, by Locust: requests leave at their intended moments, whether or not others are answered.

    python -m harness.load.steady DESCRIPTOR USERS WORKERS

takes orders from the harness over a socket, as `harness.load.worker` does. An order is `{"order": n, "address": [host,
port], "requests": [...], "begin": CLOCK_MONOTONIC seconds, "rate": requests a second, "count": how many}`; its report
`{"order": n, "results": [...]}` follows when the last of them has ended. `{"abandon": n}` ends those still open.

With WORKERS this process is a Locust master, and deals the arrivals round to so many Locust workers, which it starts
on this machine: one clock serves all of them. A worker that dies takes the load with it: a rate that is no longer kept
must not look like a quiet server.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import gevent
from gevent.queue import Queue
from locust import User, constant, task
from locust.env import Environment

from harness.load.locustfile import Gate, Ticket
from harness.load.orders import Line

START_SECONDS = 30.0
LOOK_SECONDS = 0.2
LOOPBACK = "127.0.0.1"


@dataclass
class ArrivalGate(Gate):
    """Opens at an intended moment, for one, who is not early."""

    def arrive(self) -> None:
        pass

    def wait(self) -> None:
        pass


@dataclass
class Arrival(Ticket):
    """A request whose moment has come. It counts as sent when a user takes it: a connection that has to wait for the
    server is the server's doing, an arrival that has to wait for a user is ours."""

    def run(self, environment: Any) -> None:
        self.result["begun"] = time.monotonic()
        super().run(environment)


class SteadyUser(User):
    """Takes one arrival at a time, whichever is next."""

    wait_time = constant(0)

    @task
    def request(self) -> None:
        self.environment.arrivals.get().run(self.environment)


@dataclass
class Part:
    """What one process does of the plans: its share of the arrivals of each."""

    environment: Any
    open: dict[int, list[Arrival]] = field(default_factory=dict)

    def start(self, plan: dict[str, Any]) -> None:
        gevent.spawn(self._send, plan)

    def _send(self, plan: dict[str, Any]) -> None:
        first, step = plan["share"]
        numbers = range(first, plan["count"], step)
        results: dict[int, dict[str, Any]] = {}
        arrivals = self.open[plan["order"]] = []

        def done(number: int, ticket: Ticket) -> None:
            results[number] = {**ticket.result, "sent": ticket.result.pop("begun", None)}
            if len(results) == len(numbers):
                del self.open[plan["order"]]
                self.environment.runner.send_message(
                    "results", {"order": plan["order"], "results": sorted(results.items())}
                )

        for number in numbers:
            request = plan["requests"][number % len(plan["requests"])]
            due = plan["begin"] + number / plan["rate"]
            arrival = Arrival(
                address=(plan["address"][0], plan["address"][1]),
                method=request["method"],
                path=request["path"],
                headers={**request["headers"], "X-Harness-Request": f"{plan['order']}.{number}"},
                body=request["body"].encode(),
                gate=ArrivalGate(1, opened_at=due),
                done=functools.partial(done, number),
                name=request["method"] + " " + request["path"],
            )
            gevent.sleep(max(0.0, due - time.monotonic()))
            arrivals.append(arrival)
            self.environment.arrivals.put(arrival)

    def abandon(self, order: int) -> None:
        for arrival in self.open.get(order, []):
            arrival.abandon()


class Plans:
    """The plans under way, as the one process that talks to the harness sees them."""

    def __init__(self, environment: Any, send: Callable[[dict[str, Any]], None]) -> None:
        self._runner = environment.runner
        self._send = send
        self._results: dict[int, dict[int, Any]] = {}
        self._counts: dict[int, int] = {}

    def start(self, plan: dict[str, Any]) -> None:
        self._results[plan["order"]], self._counts[plan["order"]] = {}, plan["count"]
        workers: list[str | None] = sorted(getattr(self._runner, "clients", ())) or [None]
        for share, worker in enumerate(workers):
            self._runner.send_message("plan", {**plan, "share": [share, len(workers)]}, worker)

    def abandon(self, order: int) -> None:
        self._runner.send_message("abandon", {"order": order})

    def take(self, part: dict[str, Any]) -> None:
        order = part["order"]
        found = self._results[order]
        found.update(dict(part["results"]))
        if len(found) == self._counts[order]:
            del self._results[order], self._counts[order]
            self._send({"order": order, "results": [found[number] for number in sorted(found)]})


def make_environment() -> Any:
    environment = Environment(user_classes=[SteadyUser])
    environment.arrivals = Queue()
    return environment


def listen(environment: Any) -> None:
    """Do one's part of the plans that are told."""
    part = Part(environment)
    environment.runner.register_message("plan", lambda msg, **_: part.start(msg.data))
    environment.runner.register_message("abandon", lambda msg, **_: part.abandon(msg.data["order"]))


def be_worker(port: int) -> None:
    """A Locust worker, until its master is gone."""
    environment = make_environment()
    environment.create_worker_runner(LOOPBACK, port)
    listen(environment)
    gevent.get_hub().threadpool.spawn(sys.stdin.read).get()  # the master holds the other end
    os._exit(0)


def start_workers(environment: Any, count: int) -> list[subprocess.Popen[bytes]]:
    """Become a Locust master, and start so many workers. Raises RuntimeError when they do not come."""
    runner = environment.create_master_runner(LOOPBACK, 0)
    command = [sys.executable, "-m", "harness.load.steady", "worker", str(runner.server.port)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(count)]
    deadline = time.monotonic() + START_SECONDS
    while len(runner.clients) < count:
        if time.monotonic() > deadline or any(each.poll() is not None for each in workers):
            raise RuntimeError(f"{len(runner.clients)} of {count} Locust workers have come")
        gevent.sleep(0.02)
    return workers


def guard(workers: list[subprocess.Popen[bytes]]) -> None:
    """End with the first worker that ends."""
    while True:
        for number, worker in enumerate(workers, 1):
            if worker.poll() is not None:
                sys.stderr.write(f"Locust worker {number} of {len(workers)} ended with code {worker.returncode}\n")
                finish(workers)
        gevent.sleep(LOOK_SECONDS)


def finish(workers: list[subprocess.Popen[bytes]]) -> None:
    """End at once, and leave nothing running. Not runner.quit(): it waits for users, and those may wait for ever."""
    for worker in workers:
        worker.kill()
    sys.stderr.flush()
    os._exit(0)


def main() -> None:
    if sys.argv[1] == "worker":
        be_worker(int(sys.argv[2]))
    descriptor, users, count = (int(each) for each in sys.argv[1:])
    line = Line(descriptor)
    environment = make_environment()
    workers: list[subprocess.Popen[bytes]] = []
    try:
        if count:
            workers = start_workers(environment, count)
            gevent.spawn(guard, workers)
        else:
            environment.create_local_runner()
            listen(environment)
        plans = Plans(environment, line.send)
        environment.runner.register_message("results", lambda msg, **_: plans.take(msg.data))
        environment.runner.start(user_count=users, spawn_rate=users)
        while environment.runner.user_count < users:
            gevent.sleep(0.02)
        line.obey(plans.start, plans.abandon)
    except Exception:  # noqa: BLE001 - told in the log, whose last lines the harness quotes
        traceback.print_exc()
    finally:
        finish(workers)


if __name__ == "__main__":
    main()
