"""A private httpd on a free loopback port."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
from collections import deque
from pathlib import Path

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting.server import Server
from harness.proc import dies_with_us
from harness.records import ProcessId

LOWEST_PORT = 10240
_handed_out: deque[int] = deque(maxlen=500)


class Httpd(Server):
    """A server that is this process's own child."""

    def __init__(
        self, binary: Path, directory: Path, groups: list[str], environment: dict[str, str], script: Path
    ) -> None:
        super().__init__(directory, groups, ("127.0.0.1", free_port()), script)
        self._binary = binary
        self._environment = environment
        self._fragment = ""
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def own_pid(self) -> int:
        return self.pid

    def start(self, case: Case) -> None:
        self._fragment = case.apache_conf
        with (self.directory / "startup.log").open("wb") as output:
            self._process = subprocess.Popen(
                [
                    *dies_with_us(),
                    self._binary,
                    "-d",
                    self.directory,
                    "-f",
                    self.directory / "httpd.conf",
                    "-DFOREGROUND",
                ],
                cwd="/",  # as a system's own httpd: a site that counts on another directory is to be found out
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        # A hung interpreter would hold the shutdown up for seconds.
        for child in self.processes():
            self.kill(child)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            for child in self.processes():
                self.kill(child)
            self._process.kill()
            self._process.wait()

    def check_alive(self) -> None:
        """Raises BadInput too: where httpd names the user's fragment."""
        if self._process is not None and self._process.poll() is not None:
            self.read_log()
            lines = (self.directory / "startup.log").read_text(errors="replace").splitlines()[-8:]
            text = "\n  ".join([*lines, *list(self.recent)[-12:]])
            if self._fragment and self._fragment in text:
                raise BadInput(f"httpd refuses the configuration fragment:\n  {text}")
            if "could not bind" in text:
                raise InfrastructureError(
                    f"port {self.address[1]} on 127.0.0.1 was taken by another program: run again"
                )
            raise InfrastructureError(f"httpd ended with code {self._process.returncode}:\n  {text}")

    def make_cold(self, case: Case) -> None:
        os.kill(self.pid, signal.SIGHUP if case.restart == "restart" else signal.SIGUSR1)

    def kill(self, process: ProcessId) -> None:
        if proc.alive(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A loopback TCP port that is free, and that neither this process nor an outgoing connection will take.

    Linux gives outgoing connections ports of its ephemeral range; one chosen there could be gone before httpd binds
    it, because Locust opens many connections meanwhile.
    """
    limits = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first_ephemeral = int(limits.read_text().split()[0]) if limits.exists() else 32768
    for _ in range(1000):
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
