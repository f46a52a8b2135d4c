"""One private httpd: its configuration, its process, its processes, its log."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import jinja2

from harness.errors import BadInput, InfrastructureError
from harness.hosting import proc
from harness.records import LogLine, ProcessId
from harness.scenario import Case

MODULES = ("unixd", "authz_core", "setenvif")
# What a fragment of a site's configuration usually needs; it can load others itself.
MODULES_FOR_FRAGMENT = ("alias", "env", "headers", "rewrite")
# Threads of the front end beyond those that a stampede holds.
SPARE_THREADS = 16
LOWEST_PORT = 10240
_handed_out: deque[int] = deque(maxlen=500)
_LOG_LINE = re.compile(r"\[(\d+)\] (?:\[script [^\]]*\] )?(.*)")


def render(case: Case, flights: int, **places: Any) -> str:
    """The configuration of an httpd that hosts a case, for up to `flights` stampedes at a time.

    `places` are what depends on where it runs: directory, port, groups, user, group, modules_directory, mod_wsgi,
    python_home, probe.
    """
    hosting = case.hosting
    daemon = case.mode == "daemon"
    mpm = "event" if daemon else hosting.embedded.mpm
    template = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.hosting", ""),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=False,
    ).get_template("httpd.conf.j2")
    return template.render(
        modules=[f"mpm_{mpm}", *MODULES, *(MODULES_FOR_FRAGMENT if case.apache_conf else ())],
        mpm=mpm,
        children=1 if daemon else hosting.embedded.children,
        threads_per_child=flights * case.users + SPARE_THREADS if daemon else hosting.embedded.threads,
        application_group=hosting.application_group,
        processes=hosting.daemon.processes,
        threads=hosting.daemon.threads,
        display_name=display_name,
        script=case.script_path,
        fragment=case.apache_conf,
        reload=case.restart == "reload",
        **places,
    )


class Httpd:
    """One private httpd: its files, its process, its log."""

    def __init__(self, directory: Path, groups: list[str], environment: dict[str, str], fragment: str) -> None:
        self.directory = directory
        self._fragment = fragment
        self.groups = groups
        self.port = free_port()
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._log_offset = 0
        self._log_rest = b""
        self.recent: deque[str] = deque(maxlen=40)
        self._lines: dict[int, list[LogLine]] = {}
        self._titles: dict[ProcessId, str] = {}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, binary: Path) -> None:
        with (self.directory / "startup.log").open("wb") as output:
            self._process = subprocess.Popen(
                [*_dies_with_us(), binary, "-d", self.directory, "-f", self.directory / "httpd.conf", "-DFOREGROUND"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,  # Ctrl-C is ours to handle
            )

    def stop(self) -> None:
        """End it and every process it started; waits until they are gone."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        # A hung interpreter would hold the shutdown up for seconds.
        for child in self.processes():
            kill(child)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            for child in self.processes():
                kill(child)
            self._process.kill()
            self._process.wait()

    def check_alive(self) -> None:
        """Raises InfrastructureError, with the last log lines, when httpd has ended."""
        if self._process is not None and self._process.poll() is not None:
            self.read_log()
            lines = (self.directory / "startup.log").read_text(errors="replace").splitlines()[-8:]
            text = "\n  ".join([*lines, *list(self.recent)[-12:]])
            if self._fragment and self._fragment in text:
                raise BadInput(f"httpd refuses the configuration fragment:\n  {text}")
            if "could not bind" in text:
                raise InfrastructureError(f"port {self.port} on 127.0.0.1 was taken by another program: run again")
            raise InfrastructureError(f"httpd ended with code {self._process.returncode}:\n  {text}")

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def processes(self) -> list[ProcessId]:
        """All live children."""
        return [found for pid in proc.children(self.pid) if (found := proc.identify(pid))]

    def processes_by_group(self) -> dict[str, list[ProcessId]]:
        """The live processes of each process group; in embedded mode, all of them under the empty name."""
        found: dict[str, list[ProcessId]] = {}
        for process in self.processes():
            found.setdefault(self._group_of(process), []).append(process)
        return found

    def _group_of(self, process: ProcessId) -> str:
        if not self.groups:
            return ""
        title = self._titles.get(process, "")
        if not title.startswith(display_name("")):  # it is set soon after the fork
            if len(self._titles) > 1000:
                self._titles.clear()
            title = self._titles[process] = proc.title(process.pid)
        return title.removeprefix(display_name(""))

    def read_log(self) -> None:
        """Take in what the error log has gained."""
        try:
            with (self.directory / "error.log").open("rb") as stream:
                stream.seek(self._log_offset)
                gained = stream.read()
        except FileNotFoundError:
            return
        self._log_offset += len(gained)
        *lines, self._log_rest = (self._log_rest + gained).split(b"\n")
        for raw in lines:
            line = raw.decode("utf-8", "replace")
            self.recent.append(line)
            if match := _LOG_LINE.match(line):
                pid = int(match[1])
                self._lines.setdefault(pid, []).append(LogLine(pid, match[2]))

    def take_log(self, processes: Iterable[ProcessId]) -> list[LogLine]:
        """The lines of these processes since they were last asked for, and httpd's own about them."""
        self.read_log()
        pids = [process.pid for process in processes]
        lines = [line for pid in pids for line in self._lines.pop(pid, [])]
        own = self._lines.pop(self.pid, [])
        lines += [line for line in own if any(f"pid {pid} " in line.text for pid in pids)]
        if len(self._lines) > 200:
            self._lines.clear()
        return lines


def _dies_with_us() -> list[str]:
    """A prefix that ends httpd when this process is killed and can no longer do it itself (util-linux)."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def display_name(group: str) -> str:
    """How a process group's processes are titled; mod_wsgi cuts it to the length of httpd's own path."""
    return f"wsgi:{group}"


def kill(process: ProcessId) -> None:
    """SIGKILL, unless the pid is somebody else's by now."""
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
