"""The local backend: private httpds on free loopback ports.

In daemon mode a slot is a process group of one httpd, chosen by a request header; in embedded mode, where the
interpreter is httpd's own child, it is an httpd of its own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from harness.errors import BadInput
from harness.hosting import events, proc
from harness.hosting.host import SLOTS_PER_CORE, Host, Slot
from harness.hosting.httpd import Httpd, kill, render
from harness.records import Inside, LogLine, ProcessId
from harness.runtime import Runtime, compile_for
from harness.scenario import Case

INSIDE = Path(__file__).parent.parent / "inside"


class LocalHost(Host):
    """Hosts one case on private httpds."""

    backend = "local"

    def __init__(self, case: Case, runtime: Runtime, slots: int | None = None, flights: int = 2) -> None:
        super().__init__(case)
        self.runtime = runtime
        self._flights = flights
        self._count = slots or max(4, SLOTS_PER_CORE * (os.cpu_count() or 1))
        if self.processes_per_slot > 1:
            self._count = max(2, self._count // self.processes_per_slot)
        self._servers: list[Httpd] = []
        self._server_of: dict[str, Httpd] = {}
        self._script_times: tuple[int, int] | None = None
        self._user, self._group = proc.server_user()

    # -- life ----------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        # Short, because the path of a Unix socket may have 107 bytes.
        self._directory = Path(tempfile.mkdtemp(prefix="harness-"))
        try:
            self._prepare()
            for server in self._servers:
                server.start(self.runtime.httpd)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()
        if self._script_times is not None:
            with contextlib.suppress(OSError):
                os.utime(self.case.script_path, ns=self._script_times)
        shutil.rmtree(self._directory, ignore_errors=True)

    def abort(self) -> None:
        for server in self._servers:
            server.stop()

    def check_alive(self) -> None:
        for server in self._servers:
            server.check_alive()

    def recent_log(self) -> list[str]:
        lines: list[str] = []
        for server in self._servers:
            server.read_log()
            lines += list(server.recent)[-12:]
        return lines

    def server_pids(self) -> list[int]:
        """The pids of the httpd parents, for CPU accounting."""
        return [server.pid for server in self._servers]

    # -- preparation ---------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._directory.chmod(0o755)
        self._check_reachable()
        names = [f"s{number}" for number in range(self._count)]
        if self.case.mode == "daemon":
            self._add_server(self._directory, names, groups=names)
        else:
            for name in names:
                self._add_server(self._directory / name, [name], groups=[])

    def _check_reachable(self) -> None:
        if not self._user:
            return
        for path in (self._directory, self.case.script_path, *self.runtime.reads):
            barred = proc.barred_directory(path, self._user)
            if barred:
                raise BadInput(
                    f"httpd runs as {self._user} when started by root, and {self._user} cannot pass "
                    f"{barred} on the way to {path}: run as an ordinary user, or chmod o+rx {barred}"
                )

    def _add_server(self, directory: Path, names: list[str], groups: list[str]) -> None:
        (directory / "events").mkdir(parents=True)
        if self._user:
            shutil.chown(directory / "events", self._user)
        if not self.case.black_box:
            shutil.copyfile(INSIDE / "boot.wsgi", directory / "boot.wsgi")
            compile_for(self.runtime, INSIDE / "probe.py", directory / "probe.marshal")
        server = Httpd(directory, groups, self._environment(), self.case.apache_conf)
        text = render(
            self.case,
            self._flights,
            directory=directory,
            port=server.port,
            groups=groups,
            user=self._user,
            group=self._group,
            modules_directory=self.runtime.httpd_modules,
            mod_wsgi=self.runtime.mod_wsgi,
            python_home=self.runtime.python_home,
            probe="" if self.case.black_box else directory / "boot.wsgi",
        )
        (directory / "httpd.conf").write_text(text)
        self._servers.append(server)
        for name in names:
            self._server_of[name] = server
            headers = {"X-Harness-Slot": name} if groups else {}
            self._slots.append(Slot(name, ("127.0.0.1", server.port), headers))

    def _environment(self) -> dict[str, str]:
        # The unprivileged server user can seldom write beside the sources. Bytecode in a cache of the
        # harness keeps a cold start from compiling the site each time, and the user's tree as it was.
        cache = self.runtime.bytecode
        cache.mkdir(parents=True, exist_ok=True)
        if self._user:
            shutil.chown(cache, self._user)
        return {
            "PATH": os.environ.get("PATH", os.defpath),
            "LANG": "C.UTF-8",
            "PYTHONPYCACHEPREFIX": str(cache),
            **self.runtime.environment,
            **self.case.environment,
        }

    # -- restarts ------------------------------------------------------------------------------------

    @property
    def restarts_alone(self) -> bool:
        if self.case.restart in ("restart", "graceful"):
            return self.case.mode == "embedded"
        return self.case.restart == "respawn"

    def _make_cold(self, slots: list[Slot]) -> None:
        if self.case.restart == "respawn":
            live = self._processes()
            for process in (process for slot in slots for process in live.get(slot.name, ())):
                kill(process)
        elif self.case.restart in ("touch", "reload"):
            if self._script_times is None:
                info = self.case.script_path.stat()
                self._script_times = (info.st_atime_ns, info.st_mtime_ns)
            os.utime(self.case.script_path)
        else:
            number = signal.SIGHUP if self.case.restart == "restart" else signal.SIGUSR1
            for server in dict.fromkeys(self._server_of[slot.name] for slot in slots):
                server.signal(number)

    def _processes(self) -> dict[str, list[ProcessId]]:
        if self.case.mode == "daemon":
            return self._servers[0].processes_by_group()
        return {slot.name: self._server_of[slot.name].processes() for slot in self._slots}

    def _is_ready(self, slot: Slot, process: ProcessId) -> bool:
        return self.case.black_box or self._recording(slot, process).exists()

    # -- what a trial sees ---------------------------------------------------------------------------

    def _recording(self, slot: Slot, process: ProcessId) -> Path:
        return self._server_of[slot.name].directory / "events" / f"{process.pid}-{process.start}"

    def read_inside(self, slot: Slot, processes: Iterable[ProcessId], since: float) -> tuple[Inside, ...]:
        if self.case.black_box:
            return ()
        begin = since if self.case.restart == "reload" else 0.0
        found = (events.read(self._recording(slot, each), each, begin) for each in processes)
        return tuple(each for each in found if each is not None)

    def take_log(self, slot: Slot, processes: Iterable[ProcessId]) -> tuple[LogLine, ...]:
        with self._lock:
            return tuple(self._server_of[slot.name].take_log(processes))

    def forget(self, slot: Slot, processes: Iterable[ProcessId]) -> None:
        if self.case.restart == "reload":
            return
        for each in processes:
            self._recording(slot, each).unlink(missing_ok=True)
