"""A service of the Compose stack: a container whose one process is httpd, and a directory mounted into it."""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import shutil
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import docker.errors
from docker.models.containers import Container

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting.server import Server
from harness.records import Mode, ProcessId

MOUNTED = PurePosixPath("/harness")
PYTHON = "/opt/runtime/bin/python"
PORT = "8080/tcp"
# What a run puts into the mounted directory: the configuration, what the server writes, the site.
FILES = ("conf", "run", "site")
LOG_LINES = 12
# How long another run may hold a service before this one gives up on it.
LOCK_SECONDS = 600.0
# How long Docker may take to notice that a container has ended.
NOTICE_SECONDS = 10.0


class Service:
    """A service that was found: what it is, and what can be asked of it while it serves its own script."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.name: str = container.labels["com.docker.compose.service"]
        config: dict[str, Any] = container.attrs["Config"]
        self.environment: dict[str, str] = dict(each.partition("=")[::2] for each in config["Env"])

    @property
    def mode(self) -> Mode:
        return "embedded" if self.environment["HARNESS_MODE"] == "embedded" else "daemon"

    @property
    def image(self) -> str:
        return str(self.container.attrs["Image"])

    @property
    def state(self) -> dict[str, Any]:
        """Docker's own record of it, as of the last `reload`."""
        found: dict[str, Any] = self.container.attrs["State"]
        return found

    @property
    def mount(self) -> Path:
        """The mounted directory as this process sees it. Raises InfrastructureError."""
        for each in self.container.attrs["Mounts"]:
            if each["Destination"] == str(MOUNTED):
                return Path(each["Source"])
        raise InfrastructureError(f"service {self.name}: nothing is mounted as {MOUNTED}; see docker-compose.yml")

    @property
    def address(self) -> tuple[str, int]:
        """Where it is published. Raises InfrastructureError unless that is on the loopback interface."""
        published = self.container.attrs["NetworkSettings"]["Ports"].get(PORT)
        if not published:
            raise InfrastructureError(f"service {self.name}: port 8080 is not published on 127.0.0.1")
        host, port = published[0]["HostIp"], int(published[0]["HostPort"])
        if not host.startswith("127."):
            raise InfrastructureError(
                f"service {self.name} is published on {host}: load goes to 127.0.0.1 only; "
                f'write "127.0.0.1:{port}:8080" under ports'
            )
        return host, port

    def reload(self) -> None:
        with _explained(self.name):
            self.container.reload()

    def try_lock(self) -> TextIO | None:
        """Keep other runs away until the returned file is closed; None where one of them has it.

        Raises:
            InfrastructureError: the mounted directory cannot be written.
        """
        try:
            file = (self.mount / "lock").open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename}: {error.strerror}: in the directory that is mounted into {self.name}"
            ) from error
        return file

    def lock(self) -> TextIO:
        """As `try_lock`, after waiting for the other run. Raises InfrastructureError."""
        deadline = time.monotonic() + LOCK_SECONDS
        while (file := self.try_lock()) is None:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"service {self.name} has been in use by another run for {LOCK_SECONDS:.0f} s"
                )
            time.sleep(0.2)
        return file

    @property
    def in_use(self) -> bool:
        """Has another run (or another case of this one) locked it?"""
        file = self.try_lock()
        if file is not None:
            file.close()
        return file is None

    def exec(self, *command: str) -> bytes:
        """Standard output of a command in the container. Raises InfrastructureError, with what it said."""
        with _explained(self.name):
            done: Any = self.container.exec_run(list(command), demux=True)
        out: bytes | None = done.output[0]
        err: bytes | None = done.output[1]
        if done.exit_code:
            said = (err or out or b"").decode(errors="replace").strip().splitlines()
            raise InfrastructureError(f"service {self.name}: {command[0]}: {' / '.join(said[-3:])}")
        return out or b""

    def last_words(self) -> str:
        """Why it could not be started, and the end of its log since it last was: indented lines."""
        lines: list[str] = []
        with contextlib.suppress(docker.errors.DockerException, OSError):  # somebody may be removing it
            lines = self.container.logs(tail=LOG_LINES).decode(errors="replace").splitlines()
        begins = [number for number, line in enumerate(lines) if line.startswith("serve: ")]
        error = [self.state["Error"]] if self.state.get("Error") else []
        return "\n  ".join([*error, *lines[begins[-1] if begins else 0 :]])


class TakenService(Server):
    """A service that serves one case instead of its own script, until it is stopped (that is, given back)."""

    def __init__(self, service: Service, groups: list[str], script: PurePosixPath) -> None:
        """`script` is relative to the site, which is copied into the mounted directory."""
        self._service = service
        self._mount = service.mount
        super().__init__(self._mount / "run", groups, service.address, self._mount / "site" / script)
        self.site = self._mount / "site"
        self._lock: TextIO | None = None
        self._shell: Any = None
        self._main: ProcessId | None = None
        self._insides: dict[ProcessId, ProcessId] = {}
        self._outsides: dict[ProcessId, ProcessId] = {}

    @property
    def service(self) -> Service:
        return self._service

    @property
    def pid(self) -> int:
        assert self._main is not None
        return self._main.pid

    @property
    def own_pid(self) -> int:
        return 1

    # -- files ---------------------------------------------------------------------------------------

    def take(self) -> None:
        """Lock the mounted directory against other runs, and empty it. Raises InfrastructureError."""
        self._lock = self._service.lock()
        self._service.reload()
        if not self._service.state["Running"]:
            raise self._ended(f"has ended (exit code {self._service.state['ExitCode']})")
        try:
            self._empty()
            (self.directory / "events").mkdir(parents=True)
            share(self.directory)
            self._mount.chmod(self._mount.stat().st_mode | 0o555)
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename}: {error.strerror}: the directory that is mounted into {self._service.name}"
            ) from error

    def put_site(self, source: Path) -> None:
        """Copy a site here and compile it in the container, so that no cold start has to. Raises BadInput."""
        try:
            shutil.copytree(source, self.site, ignore=_left_out)
        except shutil.Error as error:
            path, _, why = error.args[0][0]
            raise BadInput(f"{path}: cannot be copied for service {self._service.name}: {why}") from error
        share(self.site)
        # Made by the server's user, to be deleted by us. A file that cannot be compiled need not be one that is used.
        self._service.exec("sh", "-c", f"umask 0; {PYTHON} -m compileall -q {MOUNTED}/site || true")

    def configure(self, text: str, environment: Mapping[str, str]) -> None:
        """Write what `docker/serve` looks for."""
        conf = self._mount / "conf"
        conf.mkdir()
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
        (conf / "environment").write_text("".join(lines))
        (conf / "httpd.conf").write_text(text)
        for directory in (self.directory, conf):
            share(directory)

    def _empty(self) -> None:
        for name in FILES:
            if (self._mount / name).exists():
                shutil.rmtree(self._mount / name)

    # -- life ----------------------------------------------------------------------------------------

    def start(self, case: Case) -> None:
        with _explained(self._service.name):
            # At once: it is somebody's test service, and what it is serving need not end well.
            self._service.container.restart(timeout=0)
        self._service.reload()
        self._hang_up()
        pid = int(self._service.state["Pid"])
        main = proc.identify(pid) if pid else None
        if main is None:
            raise self._ended("ended as soon as it was started")
        if proc.namespace_pid(pid) != 1:
            raise InfrastructureError(
                "the processes of the containers cannot be seen from here (Docker in a virtual machine?): "
                "the compose backend needs a Docker engine on this same Linux; --backend local needs none"
            )
        self._main = main

    def stop(self) -> None:
        """Give the service back: it serves its own script again."""
        if self._lock is None:
            return
        self._hang_up()
        # The configuration first, so that the restart finds none; the rest afterwards, when nobody writes to it.
        shutil.rmtree(self._mount / "conf", ignore_errors=True)
        # Gone altogether, if somebody took the stack down meanwhile.
        with contextlib.suppress(docker.errors.DockerException, OSError):
            self._service.container.restart(timeout=0)
        for name in FILES:
            # A trial that is cut off deletes its recordings at this very moment: what is gone already is no error.
            shutil.rmtree(self._mount / name, ignore_errors=True)
        self._lock.close()
        self._lock = None

    def check_alive(self) -> None:
        if self._main is None or proc.alive(self._main):
            return
        deadline = time.monotonic() + NOTICE_SECONDS
        self._service.reload()
        while self._service.state["Pid"] == self._main.pid and time.monotonic() < deadline:
            time.sleep(0.05)
            self._service.reload()
        state = self._service.state
        how = "was restarted by somebody else" if state["Running"] else f"ended (exit code {state['ExitCode']})"
        raise self._ended(how)

    def _ended(self, how: str) -> InfrastructureError:
        self.read_log()
        log = [self._service.last_words(), *list(self.recent)[-LOG_LINES:]]
        return InfrastructureError(f"service {self._service.name} {how}; its log ends:\n  " + "\n  ".join(log))

    def make_cold(self, case: Case) -> None:
        if case.restart == "container":
            self.start(case)
        else:
            self._tell(f"kill -{'HUP' if case.restart == 'restart' else 'USR1'} 1")

    def kill(self, process: ProcessId) -> None:
        if proc.alive(self._outside(process)):
            self._tell(f"kill -KILL {process.pid}")

    def _tell(self, command: str) -> None:
        """Let one shell, kept open in the container, run a command: starting one for each takes 50 ms of both cores."""
        with _explained(self._service.name):
            if self._shell is None:
                assert self._service.container.client is not None
                api = self._service.container.client.api
                made = api.exec_create(self._service.container.id, ["sh"], stdin=True, stdout=False, stderr=False)
                self._shell = api.exec_start(made["Id"], socket=True)
            self._shell._sock.sendall(command.encode() + b" 2>/dev/null\n")

    def _hang_up(self) -> None:
        if self._shell is not None:
            with contextlib.suppress(OSError):
                self._shell._sock.shutdown(socket.SHUT_RDWR)
            self._shell.close()
            self._shell = None

    # -- identities ----------------------------------------------------------------------------------

    def _identify(self, pid: int) -> ProcessId | None:
        outside = proc.identify(pid)
        if outside is None:
            return None
        if outside not in self._insides:
            inside = proc.namespace_pid(pid)
            if inside is None:
                return None
            if len(self._insides) > 1000:
                self._insides.clear()
                self._outsides.clear()
            self._insides[outside] = ProcessId(inside, outside.start)
            self._outsides[self._insides[outside]] = outside
        return self._insides[outside]

    def _outside(self, process: ProcessId) -> ProcessId:
        # One that was forgotten is long gone, and no pid is below zero.
        return self._outsides.get(process, ProcessId(-1, process.start))


def _left_out(directory: str, names: Sequence[str]) -> set[str]:
    """What is not copied: bytecode, and links to nothing. (shutil looks for what a relative link names in the caller's
    directory, and would leave out good ones too.)"""
    here = Path(directory)
    dangling = {name for name in names if (here / name).is_symlink() and not (here / name).exists()}
    return dangling | shutil.ignore_patterns("__pycache__", "*.pyc")(directory, list(names))


def share(top: Path) -> None:
    """Let the server's user, who is another one than ours, read what is in a directory, and write new files into it."""
    for path in (top, *top.rglob("*")):
        path.chmod(path.stat().st_mode | (0o777 if path.is_dir() else 0o444))


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Docker's errors as ours."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise InfrastructureError(f"service {name}: its container is gone: {error.explanation}") from error
    except (docker.errors.DockerException, OSError) as error:
        raise InfrastructureError(f"service {name}: Docker says: {error}") from error
