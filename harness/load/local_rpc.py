"""The connection of a Locust master with its workers, through a socket in a private directory.

Locust's own is a TCP port without a password: whoever is on the machine could join as a worker, be given requests with
their headers, and report what the server has never answered.
"""

from __future__ import annotations

import zmq.green as zmq
from locust import runners
from locust.rpc.zmqrpc import BaseSocket


class PrivateServer(BaseSocket):  # type: ignore[misc]
    """The master's end. Locust passes what it takes for a host: here the socket's path."""

    def __init__(self, path: str, _: int) -> None:
        super().__init__(zmq.ROUTER, ipv4_only=True)
        self.socket.bind(f"ipc://{path}")


class PrivateClient(BaseSocket):  # type: ignore[misc]
    """A worker's end."""

    def __init__(self, path: str, _: int, identity: str) -> None:
        super().__init__(zmq.DEALER, ipv4_only=True)
        self.socket.setsockopt(zmq.IDENTITY, identity.encode())
        self.socket.connect(f"ipc://{path}")


def use() -> None:
    """Let the runners of this process connect in this way."""
    runners.rpc.Server, runners.rpc.Client = PrivateServer, PrivateClient
