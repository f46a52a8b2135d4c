"""The socket on which a Locust subprocess receives orders and sends reports: JSON, one object a line."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from typing import Any

import gevent.lock
import gevent.socket


class OrderSocket:
    """The subprocess's end of the socket."""

    def __init__(self, descriptor: int) -> None:
        self._connection = gevent.socket.socket(fileno=descriptor)
        # Two reports may be due at one moment, and one that does not fit into the socket's buffer is sent in parts.
        self._sending = gevent.lock.Semaphore()

    def send(self, report: dict[str, Any]) -> None:
        with self._sending:
            self._connection.sendall(json.dumps(report).encode() + b"\n")

    def serve(self, start: Callable[[dict[str, Any]], None], abandon: Callable[[int], None]) -> None:
        """Handle orders until the harness closes its end, or is gone. Errors go to standard error: to the log whose
        last lines the harness quotes."""
        self.send({"ready": True})
        try:
            for line in self._connection.makefile("rb"):
                order = json.loads(line)
                if "abandon" in order:
                    abandon(order["abandon"])
                else:
                    start(order)
        except Exception:  # noqa: BLE001
            traceback.print_exc()
            sys.stderr.flush()
