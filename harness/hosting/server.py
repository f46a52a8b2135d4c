"""One Apache: its processes as the kernel shows them, its recordings and its log."""

from __future__ import annotations

import abc
import os
import re
import threading
from collections import deque
from collections.abc import Iterable, Sequence
from pathlib import Path

from harness import proc
from harness.cases import redaction
from harness.cases.case import Case
from harness.hosting import events, listener, untrusted
from harness.hosting.capacity import disk_shortage
from harness.hosting.config import display_name
from harness.hosting.slot import Observer
from harness.records import Inside, LogLine, ProcessId, State, ThreadStack

# What mod_wsgi logs when a touched script is imported again in embedded mode.
RELOADED = "Reloading WSGI script"
# How much of its log an error message quotes: the end of a traceback, and what led to it.
LOG_LINES = 12
# Beyond these, what is remembered of processes is dropped: they are gone after many cold starts, and a title costs one
# read of /proc to learn again; lines of processes that nobody asks for (httpd's own workers) must not pile up.
MAX_TITLES = 1000
MAX_LOGGING_PIDS = 200
# Far more than a thousand tracebacks take; a site that logs without end must not fill the memory.
MAX_LOG_BYTES = 16 * 2**20
_LOG_LINE = re.compile(r"\[(\d+)\] (?:\[script [^\]]*\] )?(.*)")


class Server(Observer):
    """An Apache that hosts a case. A process is identified by the pid that it has for itself (see `_outside`)."""

    def __init__(self, directory: Path, groups: list[str], address: tuple[str, int], script: Path) -> None:
        self.directory = directory
        """Configuration, log and recordings, as this process sees them."""
        self.owner: int | None = None
        """The user id of its processes, where it is known."""
        self.groups = groups
        self.address = address
        self.script = script
        self._tail: deque[str] = deque(maxlen=LOG_LINES)
        self._log_offset = 0
        self._log_rest = b""
        self._lines: dict[int, list[LogLine]] = {}
        self._titles: dict[ProcessId, str] = {}
        self._log_lock = threading.RLock()

    # -- what a backend does -------------------------------------------------------------------------

    @property
    @abc.abstractmethod
    def pid(self) -> int:
        """The pid of httpd's parent process, as this process sees it."""

    @property
    @abc.abstractmethod
    def own_pid(self) -> int:
        """The pid of httpd's parent process, as its log names it."""

    @abc.abstractmethod
    def start(self, case: Case) -> None:
        """Start with the configuration in its directory. Raises InfrastructureError: it does not start."""

    @abc.abstractmethod
    def stop(self) -> None:
        """End it and every process it started, and wait until they are gone."""

    @abc.abstractmethod
    def check_alive(self) -> None:
        """Raises InfrastructureError: it has ended; the message has its last log lines."""

    @abc.abstractmethod
    def make_cold(self, case: Case) -> None:
        """Apply the case's restart method to the whole server: restart, graceful or container."""

    @abc.abstractmethod
    def kill(self, process: ProcessId) -> None:
        """SIGKILL one of its processes, unless another one has its pid by now."""

    # -- processes -----------------------------------------------------------------------------------

    def processes(self) -> list[ProcessId]:
        """All live children."""
        return [process for pid in proc.children(self.pid) if (process := self._identify(pid))]

    def processes_by_group(self) -> dict[str, list[ProcessId]]:
        """The live processes of each process group; in embedded mode, all of them under the empty name."""
        by_group: dict[str, list[ProcessId]] = {}
        for process in self.processes():
            by_group.setdefault(self._group_of(process), []).append(process)
        return by_group

    def cpu_seconds(self, process: ProcessId) -> float | None:
        return proc.cpu_seconds(self._outside(process))

    def resident_mib(self, process: ProcessId) -> float | None:
        return proc.resident_mib(self._outside(process))

    def touch(self) -> None:
        """Make its script look changed."""
        os.utime(self.script)

    def _identify(self, pid: int) -> ProcessId | None:
        return proc.identify(pid)

    def _outside(self, process: ProcessId) -> ProcessId:
        """One of its processes by the pid that it has here: another one, where the server runs in a container."""
        return process

    def _group_of(self, process: ProcessId) -> str:
        if not self.groups:
            return ""
        title = self._titles.get(process, "")
        if not title.startswith(display_name("")):  # the title is set soon after the fork
            if len(self._titles) > MAX_TITLES:
                self._titles.clear()
            title = self._titles[process] = proc.title(self._outside(process).pid)
        return title.removeprefix(display_name(""))

    # -- recordings ----------------------------------------------------------------------------------

    def _recording(self, process: ProcessId) -> Path:
        return self.directory / "events" / f"{process.pid}-{process.start}"

    def is_recorded(self, process: ProcessId) -> bool:
        return self._recording(process).exists()

    def inside(self, process: ProcessId, since: float) -> Inside | None:
        return events.read(self._recording(process), process, since, self.owner)

    def stacks(self, process: ProcessId) -> tuple[ThreadStack, ...]:
        return listener.stacks(self._recording(process), process, self.owner)

    def state(self, process: ProcessId) -> State:
        return listener.state(self._recording(process), process, self.owner)

    def forget(self, process: ProcessId) -> None:
        recording = self._recording(process)
        untrusted.remove(recording)
        listener.forget(recording)

    def short(self) -> tuple[str, ...]:
        return disk_shortage(self.directory)

    # -- log -----------------------------------------------------------------------------------------

    @property
    def log_file(self) -> Path:
        return self.directory / "error.log"

    def read_log(self) -> None:
        """Read what was appended to the error log."""
        with self._log_lock:
            try:
                with self.log_file.open("rb") as stream:
                    stream.seek(self._log_offset)
                    gained = stream.read(MAX_LOG_BYTES)  # the rest is read the next time
            except FileNotFoundError:
                return
            self._log_offset += len(gained)
            *lines, self._log_rest = (self._log_rest + gained).split(b"\n")
            for raw in lines:
                line = redaction.passage(raw.decode("utf-8", "replace"))
                self._tail.append(line)
                if match := _LOG_LINE.match(line):
                    pid = int(match[1])
                    self._lines.setdefault(pid, []).append(LogLine(pid, match[2]))

    def log_tail(self) -> list[str]:
        """The last lines of the error log."""
        with self._log_lock:
            self.read_log()
            return list(self._tail)

    def log(self, processes: Iterable[ProcessId]) -> tuple[LogLine, ...]:
        """New log lines of these processes, and those of httpd itself about them."""
        with self._log_lock:
            self.read_log()
            pids = [process.pid for process in processes]
            lines = [line for pid in pids for line in self._lines.pop(pid, [])]
            own = self._lines.pop(self.own_pid, [])
            lines += [line for line in own if any(f"pid {pid} " in line.text for pid in pids)]
            if len(self._lines) > MAX_LOGGING_PIDS:
                self._lines.clear()
            return tuple(lines)

    def is_reload(self, log: Sequence[LogLine]) -> bool:
        return any(RELOADED in line.text for line in log)
