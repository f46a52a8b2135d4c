"""The Compose stack: finding it, starting and ending one, and what its services can run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
import docker.errors
import msgspec

from harness.errors import BadInput, InfrastructureError
from harness.hosting.service import MOUNTED, PYTHON, Service
from harness.records import Mode
from harness.runtimes.interpreters import DESCRIBE, Interpreter
from harness.runtimes.spec import RuntimeSpec

FILE = "docker-compose.yml"
START_SECONDS = 1800.0  # the first time it builds an image
HEALTHY_SECONDS = 90.0
_WORKING_DIR = "com.docker.compose.project.working_dir"
_PROJECT = "com.docker.compose.project"
_ONE_OFF = "com.docker.compose.oneoff"
# What Compose says of each step, whether it fails or not.
_PROGRESS = re.compile(r" (Container|Network|Volume|Image) ")


class Stack:
    """The services of one directory's docker-compose.yml that are hosts for the harness."""

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
        """The running stack of a directory; None where none is running. One of another checkout is left alone.

        Raises:
            InfrastructureError: no Docker, no daemon; a service that is broken.
        """
        services, _ = _services(directory)
        up = [service for service in services if _is_up(service)]
        return cls(directory, sorted(up, key=lambda each: each.name)) if up else None

    def services_for(self, mode: Mode, spec: RuntimeSpec) -> list[Service]:
        """The services that have such a runtime, those of the case's mode first."""
        fit = [service for service in self._services if _fits(spec, self._runtime(service)[0])]
        return sorted(fit, key=lambda each: each.mode != mode)

    def versions(self, service: Service) -> dict[str, str]:
        """What a service runs: python, django, mod_wsgi, httpd. Raises InfrastructureError."""
        interpreter, httpd = self._runtime(service)
        return {
            "python": interpreter.version,
            "django": interpreter.django or "",
            "mod_wsgi": interpreter.installed.get("mod_wsgi", ""),
            "httpd": httpd,
        }

    def describe(self) -> str:
        """The runtimes it has, in words."""
        runtimes = [self._runtime(service)[0] for service in self._services]
        told = (
            f"Python {one.version}, Django {one.django}, mod_wsgi {one.installed.get('mod_wsgi')}" for one in runtimes
        )
        return "; ".join(dict.fromkeys(told))

    def _runtime(self, service: Service) -> tuple[Interpreter, str]:
        if service.image not in self._known:
            alike = [each for each in self._services if each.image == service.image]
            asked = next((each for each in alike if not each.in_use), service)
            with asked.lock():
                interpreter = msgspec.json.decode(asked.exec(PYTHON, "-c", DESCRIBE), type=Interpreter)
                httpd = asked.exec("httpd", "-v").decode(errors="replace").partition("Apache/")[2].split(" ")[0]
            self._known[service.image] = interpreter, httpd
        return self._known[service.image]


def _fits(spec: RuntimeSpec, interpreter: Interpreter) -> bool:
    return spec.describes(interpreter, interpreter.installed.get("mod_wsgi"))


def is_running(directory: Path) -> bool:
    """Is any service of this directory's stack up, well or not? Raises InfrastructureError: no Docker, no daemon."""
    services, _ = _services(directory)
    return any(service.state["Running"] for service in services)


def start(directory: Path, report: Callable[[str], None]) -> None:
    """`docker compose up -d --wait`. Raises BadInput, InfrastructureError; then nothing of it is left running."""
    if not (directory / FILE).is_file():
        raise BadInput(f"the compose backend: there is no {FILE} in {directory}")
    _, foreign = _services(directory)
    name = _project_name(directory)
    if name in foreign:  # Compose would take its containers for this one's, and replace them
        raise InfrastructureError(
            f"the stack from another checkout, {foreign[name]}, runs under the same project name, {name}: "
            f"`docker compose down` there first, or set COMPOSE_PROJECT_NAME"
        )
    report(f"starting the stack of {directory}: docker compose up -d --wait (builds an image the first time)")
    try:
        done = _compose(directory, "up", "-d", "--wait")
        if done.returncode:
            # What Compose says last is the cause; what a container said is more telling still.
            lines = (done.stdout + done.stderr).splitlines()
            said = [line.strip() for line in lines if line.strip() and not _PROGRESS.match(line)][-6:]
            words = [
                f"{service.name}: {service.last_words()}" for service in _services(directory)[0] if _is_broken(service)
            ]
            raise InfrastructureError(
                "`docker compose up -d --wait` failed; it was taken down again:\n  " + "\n  ".join([*said, *words])
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
            env={**os.environ, "COMPOSE_PROGRESS": "plain"},
        )
    except subprocess.TimeoutExpired as error:
        raise InfrastructureError(f"`docker compose {arguments[0]}` took over {START_SECONDS:.0f} s") from error


def engine() -> str:
    """The Docker engine's version. Raises InfrastructureError."""
    return str(connect().version()["Version"])


def check_compose() -> str:
    """The version of Compose. Raises InfrastructureError unless it is v2."""
    if shutil.which("docker") is None:
        raise InfrastructureError("there is no `docker` command: install Docker Engine with Compose v2")
    done = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise InfrastructureError(
            "there is no `docker compose` (v2): install Docker's compose plugin (Debian: docker-compose 2 or newer)"
        )
    return done.stdout.strip()


def connect() -> docker.DockerClient:
    """A client of the engine that the `docker` command uses by default. Raises InfrastructureError."""
    try:
        return docker.from_env()
    except docker.errors.DockerException as error:
        if shutil.which("docker") is None and "DOCKER_HOST" not in os.environ:
            raise InfrastructureError("there is no Docker on this machine") from error
        if "Permission denied" in str(error):
            raise InfrastructureError("the Docker daemon does not let you in: are you in the group docker?") from error
        where = f" at DOCKER_HOST={os.environ['DOCKER_HOST']}" if "DOCKER_HOST" in os.environ else ""
        raise InfrastructureError(f"no Docker daemon answers{where}: is it running?") from error


def _project_name(directory: Path) -> str:
    """What Compose calls the project of a directory. Raises InfrastructureError."""
    done = _compose(directory, "config", "--no-interpolate", "--format", "json")
    try:
        return str(msgspec.json.decode(done.stdout)["name"])
    except (msgspec.DecodeError, KeyError, TypeError) as error:
        raise InfrastructureError(f"`docker compose config` failed:\n  {done.stderr.strip()}") from error


def _services(directory: Path) -> tuple[list[Service], dict[str, str]]:
    """The services of this directory; and the other stacks that are running, project name to directory."""
    client = connect()
    here: list[Service] = []
    elsewhere: dict[str, str] = {}
    try:
        for container in client.containers.list(all=True, filters={"label": _WORKING_DIR}, ignore_removed=True):
            if container.labels.get(_ONE_OFF) == "True":
                continue
            if not any(each["Destination"] == str(MOUNTED) for each in container.attrs["Mounts"]):
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
    """Does it run? Waits while it is starting. Raises InfrastructureError when it is broken."""
    while (lock := service.try_lock()) is None:  # another run has it, and may be restarting it at this moment
        service.reload()
        if service.state["Running"]:
            return True
        time.sleep(0.05)
    with lock:
        service.reload()
        deadline = time.monotonic() + HEALTHY_SECONDS
        while _health(service) == "starting" and time.monotonic() < deadline:
            time.sleep(0.2)
            service.reload()
        if _is_broken(service):
            status = service.state["Status"]
            state = {"running": _health(service), "created": "not started"}.get(status, status)
            code = f" (exit code {service.state['ExitCode']})" if status == "exited" else ""
            raise InfrastructureError(
                f"service {service.name} is {state}{code}; its log ends:\n  {service.last_words()}\n"
                f"`docker compose up -d --wait` brings it back, `docker compose rm -s {service.name}` does without it"
            )
        return bool(service.state["Running"])


def _health(service: Service) -> str:
    return str(service.state.get("Health", {}).get("Status", "")) if service.state["Running"] else ""


def _is_broken(service: Service) -> bool:
    """Is it neither well nor stopped on purpose?"""
    state = service.state
    if state["Status"] in ("exited", "created"):  # a start that failed, too, leaves its exit code
        return bool(state["ExitCode"])
    return state["Status"] != "running" or _health(service) in ("unhealthy", "starting")
