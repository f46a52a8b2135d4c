"""The local backend: a private httpd on a free loopback port, kept cold by restarting it slot by slot.

Apache replaces a dead process at its maintenance tick, once a second; killing one process and waiting for
the next reaches about one cold start a second. So several interpreters stand side by side, each a *slot*,
and some are replaced while others are used. In daemon mode a slot is a process group of one httpd, chosen
by a request header; in embedded mode, where the interpreter is httpd's own child, it is an httpd of its own.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jinja2

from harness.errors import BadInput, InfrastructureError
from harness.hosting import events, proc
from harness.records import Inside, LogLine, ProcessId, Watched
from harness.runtime import Runtime, compile_for
from harness.scenario import Case

INSIDE = Path(__file__).parent.parent / "inside"
START_SECONDS = 30.0
POLL_SECONDS = 0.005
# One tick of replacement at up to ~6 cold starts a second on two cores, and one or two in reserve.
SLOTS_PER_CORE = 6
MODULES = ("unixd", "authz_core", "setenvif")
# What a fragment of a site's configuration usually needs; it can load others itself.
MODULES_FOR_FRAGMENT = ("alias", "env", "headers", "rewrite")
_TEMPLATE = "httpd.conf.j2"
_LOG_LINE = re.compile(r"\[(\d+)\] (?:\[script [^\]]*\] )?(.*)")
_BATCH = ("touch", "reload")


@dataclass(eq=False)
class Slot:
    """A place where a cold interpreter is prepared, independent of the others."""

    name: str
    server: Httpd
    state: str = "pending"
    since: float = 0.0
    used: set[ProcessId] = field(default_factory=set)
    """Processes that an earlier trial has used."""

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", self.server.port

    @property
    def headers(self) -> dict[str, str]:
        return {"X-Harness-Slot": self.name} if self.server.groups else {}


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
                [binary, "-d", self.directory, "-f", self.directory / "httpd.conf", "-DFOREGROUND"],
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

    def processes(self, group: str | None = None) -> list[ProcessId]:
        """The live processes of a process group; without one, all of them."""
        found = []
        for pid in proc.children(self.pid):
            process = proc.identify(pid)
            if process is None:
                continue
            if group is not None:
                title = self._titles.get(process)
                if title is None or not title.startswith("wsgi:"):  # set soon after the fork
                    title = self._titles[process] = proc.title(pid)
                if title != display_name(group):
                    continue
            found.append(process)
        if len(self._titles) > 1000:
            self._titles.clear()
        return found

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


class LocalHost:
    """Hosts one case on private httpds. Use it as a context manager; `take` and `release` are thread-safe."""

    backend = "local"

    def __init__(self, case: Case, runtime: Runtime, slots: int | None = None, flights: int = 2) -> None:
        self.case = case
        self.runtime = runtime
        self._flights = flights
        self._count = slots or max(4, SLOTS_PER_CORE * (os.cpu_count() or 1))
        if case.mode == "daemon" and case.hosting.daemon.processes > 1:
            self._count = max(2, self._count // case.hosting.daemon.processes)
        if case.mode == "embedded" and case.hosting.embedded.children > 1:
            self._count = max(2, self._count // case.hosting.embedded.children)
        self._lock = threading.Lock()
        self._servers: list[Httpd] = []
        self._slots: list[Slot] = []
        self._script_times: tuple[int, int] | None = None
        self._user, self._group = proc.server_user()

    # -- life ----------------------------------------------------------------------------------------

    def __enter__(self) -> LocalHost:
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

    def abort(self) -> None:
        """End every httpd, whatever is under way."""
        for server in self._servers:
            server.stop()

    def __exit__(self, *_: object) -> None:
        self.abort()
        if self._script_times is not None:
            with contextlib.suppress(OSError):
                os.utime(self.case.script_path, ns=self._script_times)
        shutil.rmtree(self._directory, ignore_errors=True)

    def _prepare(self) -> None:
        self._directory.chmod(0o755)
        if self._user:
            for path in (self._directory, self.case.script_path, *self.runtime.reads):
                barred = proc.barred_directory(path, self._user)
                if barred:
                    raise BadInput(
                        f"httpd runs as {self._user} when started by root, and {self._user} cannot pass "
                        f"{barred} on the way to {path}: run as an ordinary user, or chmod o+rx {barred}"
                    )
        daemon = self.case.mode == "daemon"
        names = [f"s{number}" for number in range(self._count)]
        for names_of_server in [names] if daemon else [[name] for name in names]:
            directory = self._directory if daemon else self._directory / names_of_server[0]
            directory.mkdir(exist_ok=True)
            (directory / "events").mkdir()
            if self._user:
                shutil.chown(directory / "events", self._user)
            if not self.case.black_box:
                shutil.copyfile(INSIDE / "boot.wsgi", directory / "boot.wsgi")
                compile_for(self.runtime, INSIDE / "probe.py", directory / "probe.marshal")
            server = Httpd(
                directory, names_of_server if daemon else [], self._server_environment(), self.case.apache_conf
            )
            (directory / "httpd.conf").write_text(self._render(server))
            self._servers.append(server)
            self._slots += [Slot(name, server, since=time.monotonic()) for name in names_of_server]

    def _server_environment(self) -> dict[str, str]:
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

    def _render(self, server: Httpd) -> str:
        case, hosting = self.case, self.case.hosting
        daemon = case.mode == "daemon"
        mpm = "event" if daemon else hosting.embedded.mpm
        loader = jinja2.PackageLoader("harness.hosting", "")
        template = jinja2.Environment(
            loader=loader, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined, autoescape=False
        ).get_template(_TEMPLATE)
        return template.render(
            directory=server.directory,
            port=server.port,
            modules=[f"mpm_{mpm}", *MODULES, *(MODULES_FOR_FRAGMENT if case.apache_conf else ())],
            modules_directory=self.runtime.httpd_modules,
            mod_wsgi=self.runtime.mod_wsgi,
            user=self._user,
            group=self._group,
            mpm=mpm,
            children=1 if daemon else hosting.embedded.children,
            threads_per_child=self._flights * case.users + 16 if daemon else hosting.embedded.threads,
            python_home=self.runtime.python_home,
            application_group=hosting.application_group if case.hosting else "%{GLOBAL}",
            groups=server.groups,
            processes=hosting.daemon.processes,
            threads=hosting.daemon.threads,
            display_name=display_name,
            probe="" if case.black_box else server.directory / "boot.wsgi",
            script=case.script_path,
            fragment=case.apache_conf,
            reload=case.restart == "reload",
        )

    # -- slots ---------------------------------------------------------------------------------------

    def take(self, timeout: float = START_SECONDS) -> Slot:
        """Wait for a cold interpreter and hand it out.

        Raises:
            InfrastructureError: httpd ended, or a process did not come back in time.
        """
        deadline = time.monotonic() + timeout
        while True:
            with self._lock:
                self._refresh()
                for slot in sorted(self._slots, key=lambda each: each.since):
                    if slot.state == "ready":
                        slot.state = "busy"
                        return slot
                self._renew_together()
            if time.monotonic() > deadline:
                self._fail_to_start(timeout)
            time.sleep(POLL_SECONDS)

    def release(self, slot: Slot) -> None:
        """Give a used slot back, to be made cold again."""
        with self._lock:
            slot.used.update(self._processes(slot))
            slot.state, slot.since = "spent", time.monotonic()
            if self.case.restart == "respawn":
                for process in self._processes(slot):
                    kill(process)
                slot.state = "pending"
            elif self.case.mode == "embedded" and self.case.restart in ("restart", "graceful"):
                self._signal(slot.server)
                slot.state = "pending"

    def _refresh(self) -> None:
        for server in self._servers:
            server.check_alive()
        for slot in self._slots:
            if slot.state == "pending":
                fresh = [each for each in self._processes(slot) if each not in slot.used]
                if len(fresh) >= self._processes_per_slot and all(self._ready(slot, each) for each in fresh):
                    slot.used -= {each for each in slot.used if not proc.alive(each)}
                    slot.state, slot.since = "ready", time.monotonic()

    def _renew_together(self) -> None:
        """Restart methods that hit every slot at once wait until all of them have been used."""
        if any(slot.state != "spent" for slot in self._slots):
            return
        if self.case.restart in _BATCH:
            self._touch()
        else:
            for server in self._servers:
                self._signal(server)
        for slot in self._slots:
            # After a touch it is the next request that makes the process cold.
            slot.state = "ready" if self.case.restart in _BATCH else "pending"
            slot.since = time.monotonic()

    def _signal(self, server: Httpd) -> None:
        server.signal(signal.SIGHUP if self.case.restart == "restart" else signal.SIGUSR1)

    def _touch(self) -> None:
        info = self.case.script_path.stat()
        if self._script_times is None:
            self._script_times = (info.st_atime_ns, info.st_mtime_ns)
        os.utime(self.case.script_path)

    @property
    def _processes_per_slot(self) -> int:
        hosting = self.case.hosting
        return hosting.daemon.processes if self.case.mode == "daemon" else hosting.embedded.children

    def _processes(self, slot: Slot) -> list[ProcessId]:
        return slot.server.processes(slot.name if slot.server.groups else None)

    def _ready(self, slot: Slot, process: ProcessId) -> bool:
        return self.case.black_box or (slot.server.directory / "events" / f"{process.pid}-{process.start}").exists()

    def _fail_to_start(self, timeout: float) -> None:
        lines: list[str] = []
        for server in self._servers:
            server.read_log()
            lines += list(server.recent)[-12:]
        states = ", ".join(f"{slot.name} {slot.state}" for slot in self._slots)
        raise InfrastructureError(
            f"no cold interpreter within {timeout:.0f} s (slots: {states}); the server's log ends:\n  "
            + "\n  ".join(lines[-20:])
        )

    # -- what a trial sees ---------------------------------------------------------------------------

    def watch(self, slot: Slot, before: Iterable[Watched] = ()) -> tuple[Watched, ...]:
        """The processes of a busy slot: those of `before`, marked where they are gone, and new ones."""
        with self._lock:
            live = self._processes(slot)
        known = {each.process: each for each in before}
        for process in live:
            known.setdefault(process, Watched(process=process, fresh=process not in slot.used))
        # An old process may go: a restart or a touched script asked it to. After a reload nobody did.
        may_go = self.case.restart != "reload"
        return tuple(
            Watched(
                process=each.process,
                fresh=each.fresh,
                gone=each.process not in live and (each.fresh or not may_go),
                idle=each.idle,
            )
            for each in known.values()
        )

    def read_inside(self, slot: Slot, processes: Iterable[ProcessId], since: float) -> tuple[Inside, ...]:
        """What the probe recorded in these processes: all of it, or, of one that has served before, what it
        recorded `since` then."""
        if self.case.black_box:
            return ()
        directory = slot.server.directory / "events"
        begin = since if self.case.restart == "reload" else 0.0
        found = (events.read(directory / f"{each.pid}-{each.start}", each, begin) for each in processes)
        return tuple(each for each in found if each is not None)

    def take_log(self, slot: Slot, processes: Iterable[ProcessId]) -> tuple[LogLine, ...]:
        with self._lock:
            return tuple(slot.server.take_log(processes))

    def forget(self, slot: Slot, processes: Iterable[ProcessId]) -> None:
        """Delete what was recorded of processes that will not be used again."""
        if self.case.restart == "reload":
            return
        for each in processes:
            (slot.server.directory / "events" / f"{each.pid}-{each.start}").unlink(missing_ok=True)

    @contextlib.contextmanager
    def cold(self) -> Iterator[Slot]:
        """A cold slot for the length of a block."""
        slot = self.take()
        try:
            yield slot
        finally:
            self.release(slot)

    def server_pids(self) -> list[int]:
        """The pids of the httpd parents, for CPU accounting."""
        return [server.pid for server in self._servers]


def display_name(group: str) -> str:
    """How a process group's processes are titled; mod_wsgi cuts it to the length of httpd's own path."""
    return f"wsgi:{group}"


def kill(process: ProcessId) -> None:
    """SIGKILL, unless the pid is somebody else's by now."""
    if proc.alive(process):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)


def free_port() -> int:
    """A loopback TCP port that is free at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
