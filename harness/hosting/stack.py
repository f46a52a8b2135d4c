"""The Compose stack: finds, starts and stops it, and knows which runtimes its services have."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors
import msgspec

from harness import proc
from harness.errors import BadInput, InfrastructureError
from harness.hosting.service import MOUNTED, POLL_SECONDS, PYTHON, Service
from harness.records import Mode
from harness.runtimes.interpreters import DESCRIBE, Interpreter
from harness.runtimes.spec import RuntimeSpec

FILE = "docker-compose.yml"
# A first start builds images, which takes minutes on a fast connection and much longer on a slow one.
START_SECONDS = 1800.0
# How long a service may be starting: docker-compose.yml allows 20 s for that, and 40 s for one health check.
HEALTHY_SECONDS = 90.0
# The end of Compose's output that an error quotes: its last lines are the cause.
OUTPUT_LINES = 6
_WORKING_DIR = "com.docker.compose.project.working_dir"
_PROJECT = "com.docker.compose.project"
_ONE_OFF = "com.docker.compose.oneoff"
# What Compose prints for each step, whether it fails or not.
_PROGRESS = re.compile(r" (Container|Network|Volume|Image) ")


class Stack:
    """The running services of one directory's docker-compose.yml that can host cases."""

    def __init__(self, directory: Path, services: list[Service]) -> None:
        self.directory = directory
        self._services = services
        self._known: dict[str, tuple[Interpreter, str]] = {}
        """The interpreter and httpd's version, by image."""

    def __str__(self) -> str:
        count = len(self._services)
        return f"stack of {count} service{'s' if count > 1 else ''} in {self.directory}"

    @classmethod
    def find(cls, directory: Path) -> Stack | None:
        """The running stack of a directory; None if none is running. Those of other checkouts are left alone. Raises
        InfrastructureError: there is no Docker or no daemon, or a service is broken."""
        services, _ = _services(directory)
        up = [service for service in services if _is_up(service)]
        return cls(directory, sorted(up, key=lambda service: service.name)) if up else None

    def services_for(self, mode: Mode, spec: RuntimeSpec) -> list[Service]:
        """The services that have this runtime, those of the case's mode first. Raises InfrastructureError."""

        def fits(service: Service) -> bool:
            interpreter, _ = self._runtime(service)
            return spec.describes(interpreter, interpreter.installed.get("mod_wsgi"))

        return sorted(filter(fits, self._services), key=lambda service: service.mode != mode)

    def versions(self, service: Service) -> dict[str, str]:
        """The versions that a service runs: python, django, mod_wsgi, httpd. Raises InfrastructureError."""
        interpreter, httpd = self._runtime(service)
        return {
            "python": interpreter.version,
            "django": interpreter.django or "",
            "mod_wsgi": interpreter.installed.get("mod_wsgi", ""),
            "httpd": httpd,
        }

    def describe(self) -> str:
        """The runtimes of its services, in words."""
        versions = map(self.versions, self._services)
        runtimes = (f"Python {v['python']}, Django {v['django']}, mod_wsgi {v['mod_wsgi']}" for v in versions)
        return "; ".join(dict.fromkeys(runtimes))

    def _runtime(self, service: Service) -> tuple[Interpreter, str]:
        if service.image not in self._known:
            twins = [twin for twin in self._services if twin.image == service.image]
            idle = next((twin for twin in twins if not twin.in_use), service)
            with idle.lock():
                interpreter = msgspec.json.decode(idle.exec(PYTHON, "-c", DESCRIBE), type=Interpreter)
                httpd = idle.exec("httpd", "-v").decode(errors="replace").partition("Apache/")[2].split(" ")[0]
            self._known[service.image] = interpreter, httpd
        return self._known[service.image]


def is_running(directory: Path) -> bool:
    """Does any service of this directory's stack run, well or not? Raises InfrastructureError: no Docker, no daemon."""
    services, _ = _services(directory)
    return any(service.state["Running"] for service in services)


def start(directory: Path, report: Callable[[str], None]) -> None:
    """`docker compose up -d --wait`. Raises BadInput, InfrastructureError; then nothing of it is left running."""
    if not (directory / FILE).is_file():
        raise BadInput(f"the compose backend: there is no {FILE} in {directory}")
    _, foreign = _services(directory)
    name = _project_name(directory)
    if name in foreign:  # Compose would mistake its containers for this one's, and replace them
        raise InfrastructureError(
            f"a stack of another checkout, {foreign[name]}, runs under the same project name, {name}: "
            f"`docker compose down` there first, or set COMPOSE_PROJECT_NAME"
        )
    report(f"starting the stack of {directory}: docker compose up -d --wait (builds an image the first time)")
    try:
        done = _compose(directory, "up", "-d", "--wait")
        if done.returncode:
            output = (done.stdout + done.stderr).splitlines()
            lines = [line.strip() for line in output if line.strip() and not _PROGRESS.match(line)][-OUTPUT_LINES:]
            broken = [service for service in _services(directory)[0] if service.is_broken]
            lines += [f"{service.name}: {service.log_tail()}" for service in broken]
            raise InfrastructureError(
                "`docker compose up -d --wait` failed; the stack was taken down again:\n  " + "\n  ".join(lines)
            )
    except BaseException:
        stop(directory)
        raise


def stop(directory: Path) -> None:
    """`docker compose down`."""
    _compose(directory, "down", "--timeout", "0")


def _compose(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "compose", "--file", str(directory / FILE), *arguments]
    try:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=START_SECONDS,
            check=False,
            env={**os.environ, "COMPOSE_PROGRESS": "plain", "PATH": proc.search_path()},
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"`docker compose {arguments[0]}` took over {START_SECONDS:.0f} s") from error


def engine() -> str:
    """The version of the Docker engine. Raises InfrastructureError: no Docker, no daemon."""
    return str(connect().version()["Version"])


def check_compose() -> str:
    """The version of Compose. Raises InfrastructureError: there is no Compose v2."""
    if proc.program("docker") is None:
        raise InfrastructureError("there is no `docker` command: install Docker Engine with Compose v2")
    command = ["docker", "compose", "version", "--short"]
    environment = {**os.environ, "PATH": proc.search_path()}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise InfrastructureError(
            "there is no `docker compose` (v2): install Docker's compose plugin (Debian: docker-compose 2 or newer)"
        )
    return done.stdout.strip()


def connect() -> docker.DockerClient:
    """A client of the engine that `docker` uses by default. Raises InfrastructureError: no Docker, no daemon."""
    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        if proc.program("docker") is None and "DOCKER_HOST" not in os.environ:
            raise InfrastructureError("there is no Docker on this machine") from error
        if "Permission denied" in str(error):
            raise InfrastructureError("the Docker daemon refuses access: are you in the group docker?") from error
        where = f" at DOCKER_HOST={os.environ['DOCKER_HOST']}" if "DOCKER_HOST" in os.environ else ""
        raise InfrastructureError(f"no Docker daemon answers{where}: is it running?") from error


def _project_name(directory: Path) -> str:
    """Compose's project name for a directory. Raises InfrastructureError: the file is not valid."""
    done = _compose(directory, "config", "--no-interpolate", "--format", "json")
    try:
        return str(msgspec.json.decode(done.stdout)["name"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise InfrastructureError(f"`docker compose config` failed:\n  {done.stderr.strip()}") from error


def _services(directory: Path) -> tuple[list[Service], dict[str, str]]:
    """The services of this directory, and the directories of the other stacks that run, by project name."""
    client = connect()
    here: list[Service] = []
    elsewhere: dict[str, str] = {}
    try:
        for container in client.containers.list(all=True, filters={"label": _WORKING_DIR}, ignore_removed=True):
            if container.labels.get(_ONE_OFF) == "True":
                continue
            if not any(mount["Destination"] == str(MOUNTED) for mount in container.attrs["Mounts"]):
                continue
            service = Service(container)
            if Path(container.labels[_WORKING_DIR]).resolve() == directory.resolve():
                here.append(service)
            elif service.state["Running"]:
                elsewhere[container.labels[_PROJECT]] = container.labels[_WORKING_DIR]
    except (docker.errors.DockerException, OSError) as error:
        raise InfrastructureError(f"Docker says: {error}") from error
    return here, elsewhere


def _is_up(service: Service) -> bool:
    """Does it run? Waits while it is starting. Raises InfrastructureError: it is broken."""
    while (lock := service.try_lock()) is None:  # another run has locked it, and may be restarting it at this moment
        service.reload()
        if service.state["Running"]:
            return True
        time.sleep(POLL_SECONDS)
    with lock:
        service.wait_while(lambda: service.health == "starting", HEALTHY_SECONDS)
        if service.is_broken:
            status = service.state["Status"]
            state = {"running": service.health, "created": "not started"}.get(status, status)
            code = f" (exit code {service.state['ExitCode']})" if status == "exited" else ""
            raise InfrastructureError(
                f"service {service.name} is {state}{code}; its log ends:\n  {service.log_tail()}\n"
                f"`docker compose up -d --wait` brings it back, `docker compose rm -s {service.name}` removes it"
            )
        return bool(service.state["Running"])
