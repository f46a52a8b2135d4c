"""The Locust subprocess: takes orders from the harness over a socket and sends back what was recorded.

Orders and reports are JSON, one object a line. An order is `{"order": n, "address": [host, port], "requests":
[{"method", "path", "headers", "body"}, ...]}`; a report is `{"order": n, "results": [...]}`, sent when every
request of the order has ended. `{"abandon": n}` ends those that are still open.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from typing import Any

import gevent.lock
import gevent.socket
from locust.env import Environment

from harness.load.locustfile import Driven, Gate, StampedeUser, Ticket


class Orders:
    """The orders under way."""

    def __init__(self, stampede: Driven, connection: Any) -> None:
        self._stampede = stampede
        self._connection = connection
        # Two stampedes may end at one moment, and a report that does not fit into the socket waits in its middle.
        self._sending = gevent.lock.Semaphore()
        self._open: dict[int, list[Ticket]] = {}

    def start(self, order: dict[str, Any]) -> None:
        number, requests = order["order"], order["requests"]
        gate = Gate(len(requests))
        left = [len(requests)]

        def done(_: Ticket) -> None:
            left[0] -= 1
            if not left[0]:
                tickets = self._open.pop(number)
                report = {"order": number, "results": [ticket.result for ticket in tickets]}
                self.send(report)

        self._open[number] = [
            Ticket(
                address=(order["address"][0], order["address"][1]),
                method=request["method"],
                path=request["path"],
                headers=request["headers"],
                body=request["body"].encode(),
                gate=gate,
                done=done,
                name=request["method"] + " " + request["path"],
            )
            for request in requests
        ]
        for ticket in list(self._open[number]):
            self._stampede.put(ticket)

    def send(self, report: dict[str, Any]) -> None:
        with self._sending:
            self._connection.sendall(json.dumps(report).encode() + b"\n")

    def abandon(self, number: int) -> None:
        for ticket in self._open.get(number, []):
            ticket.abandon()


def main() -> None:
    descriptor, users = int(sys.argv[1]), int(sys.argv[2])
    environment = Environment(user_classes=[StampedeUser])
    environment.stampede = stampede = Driven()
    runner = environment.create_local_runner()
    runner.start(user_count=users, spawn_rate=users)
    connection = gevent.socket.socket(fileno=descriptor)
    orders = Orders(stampede, connection)
    orders.send({"ready": True})
    try:
        for line in connection.makefile("rb"):  # until the harness closes its end, however it ended
            order = json.loads(line)
            if "abandon" in order:
                orders.abandon(order["abandon"])
            else:
                orders.start(order)
    except Exception:  # noqa: BLE001 - told in the log, whose last lines the harness quotes
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        # Not runner.quit(): it waits for users, and one may be waiting for an answer that never comes.
        os._exit(0)


if __name__ == "__main__":
    main()
