"""A service of the Compose stack: a container whose one process is httpd, and a directory mounted into it."""

from __future__ import annotations

import contextlib
import fcntl
import shlex
import shutil
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import docker.errors
from docker.models.containers import Container

from harness.errors import InfrastructureError
from harness.hosting import proc
from harness.hosting.server import Server
from harness.records import Mode, ProcessId
from harness.scenario import Case

MOUNTED = PurePosixPath("/harness")
PYTHON = "/opt/runtime/bin/python"
PORT = "8080/tcp"
LOG_LINES = 12
# How long another run may hold a service before this one gives up on it.
LOCK_SECONDS = 600.0


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

    def exec(self, *command: str) -> bytes:
        """Standard output of a command in the container. Raises InfrastructureError, with what it said."""
        with _explained(self.name):
            done: Any = self.container.exec_run(list(command), demux=True)
        out: bytes | None = done.output[0]
        err: bytes | None = done.output[1]
        if done.exit_code:
            said = (err or out or b"").decode(errors="replace").strip().splitlines()
            raise InfrastructureError(f"service {self.name}: {' '.join(command[:3])}: {' / '.join(said[-3:])}")
        return out or b""

    def last_words(self) -> str:
        """Its state and the end of its log, indented lines."""
        with _explained(self.name):
            lines = self.container.logs(tail=LOG_LINES).decode(errors="replace").splitlines()
        error = [self.state["Error"]] if self.state.get("Error") else []
        return "\n  ".join([*error, *lines])


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
        deadline = time.monotonic() + LOCK_SECONDS
        try:
            self._lock = (self._mount / "lock").open("w")
            while True:
                try:
                    fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise InfrastructureError(
                            f"service {self._service.name} has been in use by another run for {LOCK_SECONDS:.0f} s"
                        ) from None
                    time.sleep(0.2)
            self._empty()
            # The server's user is another one than ours.
            for directory in (self.directory, self.directory / "events"):
                directory.mkdir()
                directory.chmod(0o777)
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename}: {error.strerror}: the directory that is mounted into {self._service.name}"
            ) from error

    def put_site(self, source: Path) -> None:
        """Copy a site into the mounted directory and compile it there, so that no cold start has to."""
        shutil.copytree(source, self.site, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        for directory in (self.site, *self.site.rglob("*")):
            if directory.is_dir():
                directory.chmod(0o777)
        # Made by the server's user, to be deleted by us.
        self._service.exec("sh", "-c", f"umask 0; exec {PYTHON} -m compileall -q {MOUNTED}/site")

    def configure(self, text: str, environment: Mapping[str, str]) -> None:
        """Write what `docker/serve` looks for."""
        conf = self._mount / "conf"
        conf.mkdir()
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in environment.items()]
        (conf / "environment").write_text("".join(lines))
        (conf / "httpd.conf").write_text(text)

    def _empty(self) -> None:
        for name in ("conf", "run", "site"):
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
            raise InfrastructureError(
                f"service {self._service.name} ended as soon as it was started; its log ends:\n  "
                + self._service.last_words()
            )
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
        with contextlib.suppress(OSError):
            self._empty()
        # Gone altogether, if somebody took the stack down meanwhile.
        with contextlib.suppress(docker.errors.DockerException):
            self._service.container.restart(timeout=0)
        self._lock.close()
        self._lock = None

    def check_alive(self) -> None:
        if self._main is None or proc.alive(self._main):
            return
        self._service.reload()
        self.read_log()
        state = self._service.state
        how = "was restarted by somebody else" if state["Running"] else f"ended (exit code {state['ExitCode']})"
        log = [*self._service.last_words().splitlines(), *list(self.recent)[-LOG_LINES:]]
        raise InfrastructureError(f"service {self._service.name} {how}; its log ends:\n  " + "\n  ".join(log))

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


@contextlib.contextmanager
def _explained(name: str) -> Iterator[None]:
    """Docker's errors as ours."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise InfrastructureError(f"service {name}: its container is gone: {error.explanation}") from error
    except (docker.errors.DockerException, OSError) as error:
        raise InfrastructureError(f"service {name}: Docker says: {error}") from error
