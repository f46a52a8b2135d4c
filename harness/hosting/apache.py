"""What is alike wherever Apache runs: slots on its process groups, restarts, recordings, logs.

In daemon mode a slot is a process group of one server, chosen by a request header; in embedded mode, where the
interpreter is httpd's own child, it is a server of its own.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePath

from harness.cases.case import Case
from harness.hosting.host import SLOTS_PER_CORE, Host
from harness.hosting.programs import plan_of, put_programs
from harness.hosting.server import Server
from harness.hosting.slot import Slot
from harness.records import (
    ProcessId,
    Schedule,
)

# Restart methods that hit a whole server.
OF_SERVER = ("restart", "graceful", "container")


class ApacheHost(Host):
    """Hosts one case on one server, or on several. A backend says which, and where their files lie."""

    def __init__(
        self,
        case: Case,
        versions: Mapping[str, str],
        slots: int | None,
        flights: int,
        schedules: Sequence[Schedule],
    ) -> None:
        super().__init__(case, versions, schedules)
        self._flights = flights
        self._count = slots or max(4, SLOTS_PER_CORE * (os.cpu_count() or 1))
        if case.processes > 1 and not slots:
            self._count = max(2, self._count // case.processes)
        whole_server = case.restart in OF_SERVER
        self.restarts_alone = case.mode == "embedded" if whole_server else case.restart == "respawn"
        self._disturbs = "perturbed" in (schedules or [case.schedule])
        self._servers: list[Server] = []
        self._server_of: dict[str, Server] = {}
        self._script_times: dict[Path, tuple[int, int]] = {}

    # -- life ----------------------------------------------------------------------------------------

    def _tidy(self) -> None:
        for script, times in self._script_times.items():
            if script.exists():
                os.utime(script, ns=times)

    def abort(self) -> None:
        self._each(lambda server: server.stop())

    def _each(self, do: Callable[[Server], None]) -> None:
        """Do something with every server, side by side: it is waiting, mostly."""
        with ThreadPoolExecutor(max(1, len(self._servers))) as pool:
            for _ in pool.map(do, self._servers):
                pass

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

    def _add_slots(self, server: Server, names: list[str]) -> None:
        self._servers.append(server)
        for name in names:
            self._server_of[name] = server
            headers = {"X-Harness-Slot": name} if server.groups else {}
            self._slots.append(Slot(name, server.address, headers, self._deal()))

    def _put_programs(self, server: Server, compiled: Mapping[str, bytes], site: PurePath) -> None:
        """Put what runs inside its processes into a server's directory, when its slots are there."""
        put_programs(server.directory, compiled, plan_of(self.case, site) if self._disturbs else None)
        for slot in self._slots:
            if self._server_of[slot.name] is server:
                self._put_schedule(slot)

    def _put_schedule(self, slot: Slot) -> None:
        """Let the slot's next process be of its schedule."""
        if not self._disturbs:
            return
        server = self._server_of[slot.name]
        undisturbed = server.directory / f"undisturbed-{slot.name if server.groups else ''}"
        if slot.schedule == "natural":
            undisturbed.touch()
        else:
            undisturbed.unlink(missing_ok=True)

    # -- restarts ------------------------------------------------------------------------------------

    def _make_cold(self, slots: Sequence[Slot], live: Mapping[str, list[ProcessId]]) -> None:
        for slot in slots:
            self._put_schedule(slot)
        servers = dict.fromkeys(self._server_of[slot.name] for slot in slots)
        if self.case.restart == "respawn":
            for slot in slots:
                for process in live.get(slot.name, ()):
                    self._server_of[slot.name].kill(process)
        elif self.case.restart in OF_SERVER:
            for server in servers:
                server.make_cold(self.case)
        else:
            for server in servers:
                if server.script not in self._script_times:
                    info = server.script.stat()
                    self._script_times[server.script] = (info.st_atime_ns, info.st_mtime_ns)
                server.touch()

    def _processes(self) -> dict[str, list[ProcessId]]:
        if self.case.mode == "daemon":
            return self._servers[0].processes_by_group()
        return {slot.name: self._server_of[slot.name].processes() for slot in self._slots}

    def _observer(self, slot: Slot) -> Server:
        return self._server_of[slot.name]
