"""A service of the Compose stack: a container that runs httpd, with a directory of this machine mounted into it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TextIO

import docker.errors
from docker.models.containers import Container

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError
from harness.hosting.server import LOG_LINES, MAX_TITLES, Server
from harness.records import Mode, ProcessId

# Places that docker/ and docker-compose.yml give to every service.
MOUNTED = PurePosixPath("/harness")
PYTHON = "/opt/runtime/bin/python"
PORT = "8080/tcp"
# What a run puts into the mounted directory: the configuration, what the server writes, the site.
FILES = ("conf", "run", "site")
# How long to wait for another run that has locked a service: a case there takes some minutes.
LOCK_SECONDS = 600.0
# How long Docker may take to notice that a container has ended: usually a fraction of a second.
NOTICE_SECONDS = 10.0
# How often Docker, or a lock, is asked again: each question to Docker costs some milliseconds of its CPU.
POLL_SECONDS = 0.05


class Service:
    """A service as it was found: its properties, and what it answers while it serves its own script."""

    def __init__(self, container: Container) -> None:
        self.container = container
        self.name: str = container.labels["com.docker.compose.service"]
        config: dict[str, Any] = container.attrs["Config"]
        self.environment: dict[str, str] = dict(variable.partition("=")[::2] for variable in config["Env"])

    @property
    def mode(self) -> Mode:
        return "embedded" if self.environment["HARNESS_MODE"] == "embedded" else "daemon"

    @property
    def image(self) -> str:
        return str(self.container.attrs["Image"])

    @property
    def state(self) -> dict[str, Any]:
        """Docker's own record of it, as of the last `reload`."""
        state: dict[str, Any] = self.container.attrs["State"]
        return state

    @property
    def health(self) -> str:
        """`healthy`, `unhealthy` or `starting`; "" if it does not run or has no health check."""
        return str(self.state.get("Health", {}).get("Status", "")) if self.state["Running"] else ""

    @property
    def is_broken(self) -> bool:
        """Is it neither well nor stopped on purpose?"""
        if self.state["Status"] in ("exited", "created"):  # a failed start leaves its exit code as well
            return bool(self.state["ExitCode"])
        return self.state["Status"] != "running" or self.health in ("unhealthy", "starting")

    @property
    def mount(self) -> Path:
        """The mounted directory as this process sees it. Raises InfrastructureError: nothing is mounted."""
        for mount in self.container.attrs["Mounts"]:
            if mount["Destination"] == str(MOUNTED):
                return Path(mount["Source"])
        raise InfrastructureError(f"service {self.name}: nothing is mounted as {MOUNTED}; see docker-compose.yml")

    @property
    def address(self) -> tuple[str, int]:
        """Its published address. Raises InfrastructureError: that is not on the loopback interface."""
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
        """Update `state`. Raises InfrastructureError: Docker fails, or the container is gone."""
        with _docker_errors(self.name):
            self.container.reload()

    def wait_while(self, condition: Callable[[], bool], seconds: float) -> None:
        """Update `state` until it no longer meets the condition, for `seconds` at most. Raises as `reload`."""
        deadline = time.monotonic() + seconds
        self.reload()
        while condition() and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            self.reload()

    def try_lock(self) -> TextIO | None:
        """Lock it against other runs until the returned file is closed; None if one of them has locked it. Raises
        InfrastructureError: the mounted directory cannot be written."""
        try:
            file = (self.mount / "lock").open("w")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename}: {error.strerror} (in the directory that is mounted into {self.name})"
            ) from error
        return file

    def lock(self) -> TextIO:
        """Like `try_lock`, but waits. Raises InfrastructureError: as that, or the other run keeps it for too long."""
        deadline = time.monotonic() + LOCK_SECONDS
        while (file := self.try_lock()) is None:
            if time.monotonic() > deadline:
                raise InfrastructureError(
                    f"service {self.name} has been in use by another run for {LOCK_SECONDS:.0f} s"
                )
            time.sleep(POLL_SECONDS)
        return file

    @property
    def in_use(self) -> bool:
        """Has another run, or another case of this one, locked it?"""
        file = self.try_lock()
        if file is not None:
            file.close()
        return file is None

    @property
    def has_init(self) -> bool:
        """Is its first process an init, whose child is httpd?"""
        return bool(self.container.attrs.get("HostConfig", {}).get("Init"))

    def exec(self, *command: str, user: str = "") -> bytes:
        """Run a command in the container, by default as its own user, and return its output. Raises
        InfrastructureError: it fails."""
        with _docker_errors(self.name):
            done: Any = self.container.exec_run(list(command), demux=True, user=user)
        out: bytes | None = done.output[0]
        err: bytes | None = done.output[1]
        if done.exit_code:
            lines = (err or out or b"").decode(errors="replace").strip().splitlines()
            # The last of three lines is the error, as a rule; with all of them the message is still one sentence.
            raise InfrastructureError(f"service {self.name}: {command[0]}: {' / '.join(lines[-3:])}")
        return out or b""

    def log_tail(self) -> str:
        """Docker's error, if it could not be started, and the end of its log since its last start: indented lines."""
        lines: list[str] = []
        with contextlib.suppress(docker.errors.DockerException, OSError):  # the container may be being removed
            lines = self.container.logs(tail=LOG_LINES).decode(errors="replace").splitlines()
        starts = [number for number, line in enumerate(lines) if line.startswith("serve: ")]
        error = [self.state["Error"]] if self.state.get("Error") else []
        return "\n  ".join([*error, *lines[starts[-1] if starts else 0 :]])


class ComposeServer(Server):
    """A service that hosts a case; `stop` gives it back, and it serves its own script again."""

    def __init__(self, service: Service, groups: list[str], script: PurePosixPath) -> None:
        """`script` is relative to the site, which is copied into the mounted directory."""
        self.service = service
        self._mount = service.mount
        super().__init__(self._mount / "run", groups, service.address, self._mount / "site" / script)
        self.site = self._mount / "site"
        self._lock: TextIO | None = None
        self._shell: Any = None
        self._own_pid = 1
        self._main: ProcessId | None = None
        self._httpd: ProcessId | None = None
        self._insides: dict[ProcessId, ProcessId] = {}
        self._outsides: dict[ProcessId, ProcessId] = {}

    @property
    def pid(self) -> int:
        assert self._httpd is not None
        return self._httpd.pid

    @property
    def own_pid(self) -> int:
        return self._own_pid

    # -- files ---------------------------------------------------------------------------------------

    def take(self) -> None:
        """Lock the service, and empty its mounted directory. Raises InfrastructureError: it cannot be had."""
        self._lock = self.service.lock()
        self.service.reload()
        if not self.service.state["Running"]:
            raise self._end_error(f"has ended (exit code {self.service.state['ExitCode']})")
        try:
            self._empty()
            self._let_in()
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename}: {error.strerror} (in the directory that is mounted into {self.service.name})"
            ) from error

    def _let_in(self) -> None:
        """Open the mounted directory to the container's user, and to nobody else on this machine: its group may enter,
        and write into the events and the log alone."""
        events, log = self.directory / "events", self.directory / "error.log"
        self._mount.chmod(0o750)
        events.mkdir(parents=True)
        log.touch()
        self.directory.chmod(0o755)
        if os.geteuid():  # the container's user is another than this one: see inside/listener.py
            (self.directory / "shared").touch()
        group = self.service.exec("id", "-g").decode().strip()
        for path in (self._mount, events, log):
            # Whoever owns a file may give it to a group that is its own: in the container, with that one for its group.
            inside = str(MOUNTED / path.relative_to(self._mount))
            owner = self.service.exec("stat", "-c", "%u", inside).decode().strip()
            self.service.exec("chgrp", group, inside, user=f"{owner}:{group}")
        events.chmod(0o770)
        log.chmod(0o660)

    def put_site(self, source: Path) -> None:
        """Copy a site here, and compile it, so that no cold start has to. Raises BadInput: a file cannot be copied."""
        try:
            shutil.copytree(source, self.site, ignore=_ignored)
        except shutil.Error as error:
            path, _, why = error.args[0][0]
            raise BadInput(f"{path}: cannot be copied for service {self.service.name}: {why}") from error
        make_readable(self.site)
        # As the user whose files these are here: the server's user could leave what another site then runs. A file that
        # does not compile may never be imported.
        site = str(MOUNTED / "site")
        owner = self.service.exec("stat", "-c", "%u:%g", site).decode().strip()
        self.service.exec("sh", "-c", f"{PYTHON} -m compileall -q {site} || true", user=owner)

    def configure(self, text: str, environment: Mapping[str, str]) -> None:
        """Write the files that `docker/serve` looks for."""
        conf = self._mount / "conf"
        conf.mkdir()
        variables = "".join(f"{name}={value}\0" for name, value in environment.items())
        (conf / "environment").write_bytes(variables.encode())
        (conf / "httpd.conf").write_text(text)
        make_readable(conf)

    def _empty(self) -> None:
        for name in FILES:
            if (self._mount / name).exists():
                shutil.rmtree(self._mount / name)

    # -- life ----------------------------------------------------------------------------------------

    def start(self, case: Case) -> None:
        with _docker_errors(self.service.name):
            self.service.container.restart(timeout=0)  # a test service: its requests need not be completed
        self.service.reload()
        self._close_shell()
        pid = int(self.service.state["Pid"])
        main = proc.identify(pid) if pid else None
        if main is None:
            raise self._end_error("ended as soon as it was started")
        if proc.namespace_pid(pid) != 1:
            raise InfrastructureError(
                "the processes of the containers are not visible here (does Docker run in a virtual machine?): "
                "the compose backend needs a Docker engine on this same Linux; --backend local needs none"
            )
        self._main = main
        self._httpd = self._child_of_init(main) if self.service.has_init else main
        self._own_pid = proc.namespace_pid(self._httpd.pid) or 1

    def _child_of_init(self, init: ProcessId) -> ProcessId:
        """The process that the container's init has started. Raises InfrastructureError: it has ended."""
        deadline = time.monotonic() + NOTICE_SECONDS
        while time.monotonic() < deadline and proc.alive(init):
            for pid in proc.children(init.pid):
                if (process := proc.identify(pid)) is not None:
                    return process
            time.sleep(POLL_SECONDS)
        raise self._end_error("ended as soon as it was started")

    def stop(self) -> None:
        """Give the service back: it serves its own script again."""
        if self._lock is None:
            return
        self._close_shell()
        # The configuration first, so that the restart finds none; the rest afterwards, when nothing writes to it.
        shutil.rmtree(self._mount / "conf", ignore_errors=True)
        # The container is gone if somebody has taken the stack down meanwhile.
        with contextlib.suppress(docker.errors.DockerException, OSError):
            self.service.container.restart(timeout=0)
        for name in FILES:
            # An interrupted trial may be deleting its recordings at this moment: a missing file is no error.
            shutil.rmtree(self._mount / name, ignore_errors=True)
        self._lock.close()
        self._lock = None

    def check_alive(self) -> None:
        if self._main is None or proc.alive(self._main):
            return
        main = self._main
        self.service.wait_while(lambda: self.service.state["Pid"] == main.pid, NOTICE_SECONDS)
        state = self.service.state
        how = "was restarted by somebody else" if state["Running"] else f"ended (exit code {state['ExitCode']})"
        raise self._end_error(how)

    def _end_error(self, how: str) -> InfrastructureError:
        log = [self.service.log_tail(), *self.log_tail()]
        return InfrastructureError(f"service {self.service.name} {how}; its log ends:\n  " + "\n  ".join(log))

    def make_cold(self, case: Case) -> None:
        if case.restart == "container":
            self.start(case)
        else:
            self._run_in_shell(f"kill -{'HUP' if case.restart == 'restart' else 'USR1'} {self.own_pid}")

    def kill(self, process: ProcessId) -> None:
        if proc.alive(self._outside(process)):
            self._run_in_shell(f"kill -KILL {process.pid}")

    def _run_in_shell(self, command: str) -> None:
        """Run a command in a shell that stays open in the container: a shell for each would cost 50 ms of two cores."""
        with _docker_errors(self.service.name):
            if self._shell is None:
                assert self.service.container.client is not None
                api = self.service.container.client.api
                shell = api.exec_create(self.service.container.id, ["sh"], stdin=True, stdout=False, stderr=False)
                self._shell = api.exec_start(shell["Id"], socket=True)
            self._shell._sock.sendall(command.encode() + b" 2>/dev/null\n")

    def _close_shell(self) -> None:
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
            if len(self._insides) > MAX_TITLES:
                self._insides.clear()
                self._outsides.clear()
            self._insides[outside] = ProcessId(inside, outside.start)
            self._outsides[self._insides[outside]] = outside
        return self._insides[outside]

    def _outside(self, process: ProcessId) -> ProcessId:
        # A process that was dropped is long gone: give a pid that none has.
        return self._outsides.get(process, ProcessId(-1, process.start))


def _ignored(directory: str, names: Sequence[str]) -> set[str]:
    """What copytree leaves out: bytecode and dangling links. (Its own option for these resolves a relative link from
    the working directory, and would leave out good ones too.)"""
    paths = (Path(directory, name) for name in names)
    dangling = {path.name for path in paths if path.is_symlink() and not path.exists()}
    return dangling | shutil.ignore_patterns("__pycache__", "*.pyc")(directory, list(names))


def make_readable(top: Path) -> None:
    """Let the server's user read what is in a directory that this user alone has written, and change nothing."""
    for path in (top, *top.rglob("*")):
        mode = path.stat().st_mode & ~0o022
        path.chmod(mode | (0o555 if path.is_dir() else 0o444))


@contextlib.contextmanager
def _docker_errors(name: str) -> Iterator[None]:
    """Raises InfrastructureError: Docker fails in the block, or the container is gone."""
    try:
        yield
    except docker.errors.NotFound as error:
        raise InfrastructureError(f"service {name}: its container is gone: {error.explanation}") from error
    except (docker.errors.DockerException, OSError) as error:
        raise InfrastructureError(f"service {name}: Docker says: {error}") from error
