"""A private httpd on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
from collections import deque
from pathlib import Path

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting.process_tree import ProcessTree, TreeProcess
from harness.hosting.server import Server
from harness.records import ProcessId

# Well-known services and development servers listen below it.
LOWEST_PORT = 10240
# Ports that httpd has yet to bind must not be handed out twice; of 500 the oldest has long been bound, or given up.
_handed_out: deque[int] = deque(maxlen=500)
# Enough to meet a free port, if there is any, even where nine in ten are taken.
PORT_ATTEMPTS = 1000
# httpd's complaint about a configuration takes a line or two; warnings may stand before it.
STARTUP_LINES = 8


class Httpd(Server):
    """A server in a process tree of this process's."""

    def __init__(
        self,
        tree: ProcessTree,
        binary: Path,
        directory: Path,
        groups: list[str],
        environment: dict[str, str],
        script: Path,
    ) -> None:
        super().__init__(directory, groups, ("127.0.0.1", free_port()), script)
        self._tree = tree
        self._binary = binary
        self._environment = environment
        self._fragment = ""
        self._process: TreeProcess | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def own_pid(self) -> int:
        return self.pid

    def start(self, case: Case) -> None:
        self._fragment = case.apache_conf
        where = ["-d", str(self.directory), "-f", str(self.directory / "httpd.conf")]
        # In /, as the httpd of a system: a site that relies on another directory must fail here too.
        self._process = self._tree.start(
            [self._binary, *where, "-DFOREGROUND"], self.directory / "startup.log", self._environment
        )

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()

    def check_alive(self) -> None:
        """Raises InfrastructureError: it has ended. Raises BadInput: it refuses the user's configuration fragment."""
        code = None if self._process is None else self._process.exit_code()
        if code is not None:
            lines = (self.directory / "startup.log").read_text(errors="replace").splitlines()[-STARTUP_LINES:]
            text = "\n  ".join([*lines, *self.log_tail()])
            if self._fragment and self._fragment in text:
                raise BadInput(f"httpd refuses the configuration fragment:\n  {text}")
            if "could not bind" in text:
                raise InfrastructureError(
                    f"port {self.address[1]} on 127.0.0.1 was taken by another program: run again"
                )
            how = f"with code {code}" if code >= 0 else f"by signal {signal.Signals(-code).name}"
            raise InfrastructureError(f"httpd ended {how}:\n  {text}")

    def make_cold(self, case: Case) -> None:
        os.kill(self.pid, signal.SIGHUP if case.restart == "restart" else signal.SIGUSR1)

    def kill(self, process: ProcessId) -> None:
        if proc.alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A free loopback TCP port outside the ephemeral range, which this function has not returned lately.

    Linux takes the ports of outgoing connections from that range, and Locust opens many of them: one chosen there
    could be taken before httpd binds it. Raises InfrastructureError: no port is free.
    """
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_ephemeral = int(limits.read_text().split()[0]) if limits.exists() else 32768
    for _ in range(PORT_ATTEMPTS):
        port = random.randrange(LOWEST_PORT, max(first_ephemeral, LOWEST_PORT + 1000))
        if port in _handed_out:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as httpd does
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _handed_out.append(port)
        return port
    raise InfrastructureError("there is no free port on 127.0.0.1")
