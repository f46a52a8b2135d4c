"""The local backend: private httpds on free loopback ports."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput
from harness.hosting.apache import ApacheHost
from harness.hosting.capacity import check_tasks
from harness.hosting.config import front_threads, render
from harness.hosting.httpd import Httpd
from harness.hosting.leftovers import remove
from harness.hosting.preparing import ServerRuntime
from harness.hosting.process_tree import ProcessTree, mark
from harness.hosting.programs import PROGRAMS
from harness.hosting.slot import Slot
from harness.hosting.untrusted import make_events_directory, make_private_directory
from harness.records import LeftProcess, ProcessId, Schedule
from harness.runtimes.compiling import compiled_by


class LocalHost(ApacheHost):
    """Hosts one case on private httpds."""

    backend = "local"

    def __init__(
        self,
        case: Case,
        runtime: ServerRuntime,
        slots: int | None = None,
        parallel: int = 2,
        schedules: Sequence[Schedule] = (),
        *,
        recorder: Path | None = None,
    ) -> None:
        """`recorder`: a program that the server imports before the script, instead of the probe."""
        super().__init__(case, runtime.versions, slots, parallel, schedules)
        self.runtime = runtime
        self._recorder = recorder
        self._user, self._group = proc.server_user()
        self._directory: Path | None = None
        self._tree = ProcessTree()

    def _start(self) -> None:
        # A short path, because that of a Unix socket may have at most 107 bytes.
        self._directory = directory = make_private_directory()
        self._check_reachable(directory)
        check_tasks(self.case, self._count, front_threads(self.case, self._parallel), self._user)
        names = [f"s{number}" for number in range(self._count)]
        if self.case.mode == "daemon":
            self._add_slots(self._server(directory, groups=names), names)
        else:
            for name in names:
                self._add_slots(self._server(directory / name, groups=[]), [name])
        if not self.case.black_box:
            compiled = compiled_by(self.runtime.python, PROGRAMS)
            for server in self._servers:
                self._put_programs(server, compiled, self.case.site_dir)
        for path in directory.rglob("*"):  # under a strict umask the server's user could not read them
            if path.is_file():
                path.chmod(0o644)
            elif path.name != "events":
                path.chmod(0o755)
        self._tree.__enter__()
        for server in self._servers:
            server.start(self.case)

    def _is_ready(self, slot: Slot, process: ProcessId) -> bool:
        ready = super()._is_ready(slot, process)
        if ready:  # it has not run the script yet
            mark(process)
        return ready

    def left(self) -> tuple[LeftProcess, ...]:
        return self._tree.left

    def _tidy(self) -> None:
        self._tree.__exit__()
        super()._tidy()
        if self._directory is not None:
            remove(self._directory)

    def _check_reachable(self, directory: Path) -> None:
        if not self._user:
            return
        for path in (directory, self.case.script_path, *self.runtime.reads):
            barred = proc.barred_directory(path, self._user, readable=path is not directory)
            if barred:
                raise BadInput(
                    f"httpd runs as {self._user} when started by root, and {self._user} cannot enter "
                    f"{barred} on the way to {path}: run as an ordinary user, or chmod o+rx {barred}"
                )

    def _server(self, directory: Path, groups: list[str]) -> Httpd:
        make_events_directory(directory)
        environment = self.runtime.environment_for(self.case, self._user)
        server = Httpd(self._tree, self.runtime.httpd, directory, groups, environment, self.case.script_path)
        server.owner = proc.server_uid()
        host, port = server.address
        text = render(
            self.case,
            self._parallel,
            directory=directory,
            scratch=directory,
            listen=f"{host}:{port}",
            groups=groups,
            user=self._user,
            group=self._group,
            modules_directory=self.runtime.httpd_modules,
            mod_wsgi=self.runtime.mod_wsgi,
            python_home=self.runtime.python_home,
            script=self.case.script_path,
            probe=self._recorder or ("" if self.case.black_box else directory / "boot.wsgi"),
        )
        (directory / "httpd.conf").write_text(text)
        return server
