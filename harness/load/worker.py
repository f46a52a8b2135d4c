"""The Locust subprocess: receives orders from the harness over a socket, and sends back what was recorded.

An order is `{"order": n, "address": [host, port], "requests": [{"method", "path", "headers", "body"}, ...],
"max_body": bytes}`; a report is `{"order": n, "results": [...]}`, sent when every request of the order has ended.
`{"abandon": n}` ends open requests.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from locust.env import Environment

from harness.load.locustfile import Gate, QueuedStampede, StampedeUser, Ticket
from harness.load.orders import OrderSocket


class Dispatcher:
    """Makes each order a stampede, and reports its results."""

    def __init__(self, stampede: QueuedStampede, send: Callable[[dict[str, Any]], None]) -> None:
        self._stampede = stampede
        self._send = send
        self._open: dict[int, list[Ticket]] = {}

    def start(self, order: dict[str, Any]) -> None:
        number, requests = order["order"], order["requests"]
        gate = Gate(len(requests))
        left = [len(requests)]

        def done(_: Ticket) -> None:
            left[0] -= 1
            if not left[0]:
                tickets = self._open.pop(number)
                self._send({"order": number, "results": [ticket.result for ticket in tickets]})

        self._open[number] = [Ticket.of(order, request, gate, done) for request in requests]
        for ticket in list(self._open[number]):
            self._stampede.put(ticket)

    def abandon(self, number: int) -> None:
        for ticket in self._open.get(number, []):
            ticket.abandon()


def main() -> None:
    descriptor, users = int(sys.argv[1]), int(sys.argv[2])
    environment = Environment(user_classes=[StampedeUser])
    environment.stampede = stampede = QueuedStampede()
    runner = environment.create_local_runner()
    runner.start(user_count=users, spawn_rate=users)
    orders = OrderSocket(descriptor)
    dispatcher = Dispatcher(stampede, orders.send)
    try:
        orders.serve(dispatcher.start, dispatcher.abandon)
    finally:
        # Not runner.quit(): it waits for users, and one may be waiting for an answer that never comes.
        os._exit(0)


if __name__ == "__main__":
    main()
