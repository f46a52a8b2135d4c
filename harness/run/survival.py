"""Whether the server outlived a trial in which connections were lost or a process ended."""

from __future__ import annotations

import contextlib
import socket
import threading
import time

from harness.hosting.host import Host

SERVER_ENDED = "the server ended during this trial"
# A server that goes down first ends its children, whose connections are lost before it is gone itself; one that stays
# has a new child within its maintenance tick of a second.
SURVIVAL_SECONDS = 3.0
# Between two looks; short beside the tick.
POLL_SECONDS = 0.05
# Answered by the server itself: it never reaches the site.
_QUESTION = b"OPTIONS * HTTP/1.0\r\n\r\n"


def survives(host: Host, address: tuple[str, int], stop: threading.Event) -> None:
    """Wait until the server answers for itself, it is known to be gone, or it has had time for both. Raises
    InfrastructureError: it is gone."""
    deadline = time.monotonic() + SURVIVAL_SECONDS
    answered = 0
    while time.monotonic() < deadline and not stop.is_set():
        host.check_alive()
        # Twice: a child that is about to be ended may still answer once.
        answered = answered + 1 if _answers(address) else 0
        if answered == 2:
            return
        time.sleep(POLL_SECONDS)


def _answers(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, POLL_SECONDS * 4) as connection:
        connection.sendall(_QUESTION)
        return bool(connection.recv(1))
    return False
