"""What Apache hosts have in common on every backend: slots, restarts, recordings, logs.

In daemon mode a slot is a process group of one server, selected by a request header; in embedded mode, where the
interpreter lives in httpd's own children, each slot is a server of its own.
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
from harness.records import ProcessId, Schedule

# Restart methods that can only be applied to a whole server, never to one process group of it.
SERVER_WIDE = ("restart", "graceful", "container")


class ApacheHost(Host):
    """Hosts one case on one server or several. The backend decides which, and where their files are."""

    def __init__(
        self, case: Case, versions: Mapping[str, str], slots: int | None, parallel: int, schedules: Sequence[Schedule]
    ) -> None:
        super().__init__(case, versions, schedules)
        self._parallel = parallel
        self._count = slots or max(2, SLOTS_PER_CORE * (os.cpu_count() or 1) // case.processes)
        whole_server = case.restart in SERVER_WIDE
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
        self._on_all_servers(lambda server: server.stop())

    def _on_all_servers(self, action: Callable[[Server], None]) -> None:
        """Apply `action` to every server in parallel: most of it is waiting."""
        with ThreadPoolExecutor(max(1, len(self._servers))) as pool:
            list(pool.map(action, self._servers))

    def check_alive(self) -> None:
        for server in self._servers:
            server.check_alive()

    def recent_log(self) -> list[str]:
        return [line for server in self._servers for line in server.log_tail()]

    def server_pids(self) -> list[int]:
        """The pids of the httpd parent processes, for CPU accounting."""
        return [server.pid for server in self._servers]

    def _add_slots(self, server: Server, names: list[str]) -> None:
        self._servers.append(server)
        for name in names:
            self._server_of[name] = server
            headers = {"X-Harness-Slot": name} if server.groups else {}
            self._slots.append(Slot(name, server.address, headers, self._next_schedule()))

    def _put_programs(self, server: Server, compiled: Mapping[str, bytes], site: PurePath) -> None:
        """Copy what runs inside the processes into a server's directory, once its slots have been added."""
        put_programs(
            server.directory, compiled, plan_of(self.case, site) if self._disturbs else None, self.case.invariant
        )
        for slot in self._slots:
            if self._server_of[slot.name] is server:
                self._put_schedule(slot)

    def _put_schedule(self, slot: Slot) -> None:
        """Tell the slot's next process its schedule: a marker file keeps it from perturbing."""
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
        elif self.case.restart in SERVER_WIDE:
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
