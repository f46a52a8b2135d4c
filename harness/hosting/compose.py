"""The Compose backend: services of a running stack host a case instead of serving their own scripts.

In daemon mode one service hosts it, with a process group for each slot; in embedded mode each slot is a service.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

import msgspec

from harness.cases.case import Case
from harness.errors import BadInput
from harness.hosting.apache import ApacheHost
from harness.hosting.config import render
from harness.hosting.programs import PROGRAMS
from harness.hosting.server import Server
from harness.hosting.service import MOUNTED, PYTHON, ComposeServer, Service
from harness.hosting.untrusted import let_server_read
from harness.records import Schedule
from harness.runtimes.compiling import CHECK_SYNTAX, COMPILE

# The directory of a server's configuration, log and recordings, as the container sees it.
RUN = MOUNTED / "run"


class ComposeHost(ApacheHost):
    """Hosts one case on services that have the same runtime."""

    backend = "compose"

    def __init__(
        self,
        case: Case,
        services: Sequence[Service],
        versions: Mapping[str, str],
        slots: int | None = None,
        parallel: int = 2,
        schedules: Sequence[Schedule] = (),
    ) -> None:
        super().__init__(case, versions, slots, parallel, schedules)
        self._services = services

    def _start(self) -> None:
        names = [f"s{number}" for number in range(self._count)]
        if self.case.mode == "daemon":
            free = next((service for service in self._services if not service.in_use), self._services[0])
            self._add_slots(ComposeServer(free, names, self._script), names)
        else:
            for name, service in zip(names, self._services, strict=False):
                self._add_slots(ComposeServer(service, [], self._script), [name])
        # Every run locks services in the same order, so two runs cannot deadlock. On this thread, where Ctrl-C ends
        # the wait.
        for server in self._servers:
            assert isinstance(server, ComposeServer)
            server.take()
        self._on_all_servers(self._set_up)

    @property
    def _script(self) -> PurePosixPath:
        """The script's path relative to the site."""
        return PurePosixPath(self.case.script_path.relative_to(self.case.site_dir))

    def _set_up(self, server: Server) -> None:
        assert isinstance(server, ComposeServer)
        service = server.service
        server.put_site(self.case.site_dir)
        inside = str(MOUNTED / "site" / self._script)
        mistake = service.exec(PYTHON, "-c", CHECK_SYNTAX, inside).decode(errors="replace").strip()
        if mistake:
            raise BadInput(f"the script has a syntax error: {mistake.replace(inside, str(self.case.script_path))}")
        if not self.case.black_box:
            for source in PROGRAMS:
                shutil.copyfile(source, server.directory / source.name)
                let_server_read(server.directory / source.name)
            output = service.exec(PYTHON, "-c", COMPILE, *(str(RUN / source.name) for source in PROGRAMS))
            compiled = msgspec.json.decode(output, type=dict[str, bytes])
            self._put_programs(server, compiled, MOUNTED / "site")
        text = render(
            self.case,
            self._parallel,
            directory=RUN,
            scratch="/tmp",
            listen="8080",
            groups=server.groups,
            user="",
            group="",
            modules_directory=service.environment["HARNESS_MODULES"],
            mod_wsgi="/opt/runtime/mod_wsgi.so",
            python_home="/opt/runtime",
            script=inside,
            probe="" if self.case.black_box else RUN / "boot.wsgi",
        )
        server.configure(text, self.case.environment)
        server.start(self.case)
