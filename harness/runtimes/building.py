"""Builds environments of interpreters, once, and keeps them in a cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes.interpreters import Interpreter, barring_directory, clean_environment, describe

# Of one command: mod_wsgi-standalone compiles all of httpd, which takes many minutes on a slow machine.
BUILD_SECONDS = 1800
# The end of a failing log that an error quotes: compilers and pip print the cause among their last lines.
LOG_LINES = 12
# The last release that makes environments of Python 2.7, which has no venv module.
VIRTUALENV = "virtualenv==20.15.1"

Say = Callable[[str], None]
"""Receives one line about what is being done, for the user who waits."""


@dataclass(frozen=True)
class Runtime:
    """A runtime that is ready: an interpreter with its packages. A server's runtime adds fields to it."""

    name: str
    python: Path
    python_home: Path
    reads: tuple[Path, ...]
    """Directories that the server's processes must be able to read."""
    bytecode: Path
    environment: dict[str, str]
    versions: dict[str, str]

    def environment_for(self, case: Case, user: str = "") -> dict[str, str]:
        """The environment of a process that runs a site as `user` (empty: as this process)."""
        # The unprivileged server user can seldom write beside the sources. With a bytecode cache of the harness's own
        # no cold start compiles the site again, and the user's tree stays as it was.
        self.bytecode.mkdir(parents=True, exist_ok=True)
        if user:
            shutil.chown(self.bytecode, user)
        own = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONPYCACHEPREFIX": str(self.bytecode)}
        return {**own, **self.environment, **case.environment}


@dataclass(frozen=True)
class Tools:
    """What a server's packages are compiled with."""

    what: str
    """What is compiled."""
    identity: str | None
    """Part of the cache key: other tools need another build."""
    hints: Mapping[str, str]
    """What to install, by a word of a failing log."""
    note: str = ""
    """What is built as well, for the user who waits."""


NO_TOOLS = Tools("a package", None, {"ensurepip": "python3-venv"})


def cache_directory() -> Path:
    """The cache: $HARNESS_CACHE, or .harness in the current directory. Raises BadInput: it cannot be written."""
    directory = Path(os.environ.get("HARNESS_CACHE") or ".harness").absolute()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        ignore = directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise BadInput(f"{directory}: the cache cannot be written: {error.strerror}; set HARNESS_CACHE") from error
    return directory


def reachable(interpreter: Interpreter, cache: Path, report: Say) -> Interpreter:
    """This interpreter, or a copy in the cache if the server's user cannot reach it. Raises MissingRuntime: no copy."""
    if not barring_directory(interpreter):
        return interpreter
    source = Path(interpreter.base)
    target = cache / "interpreters" / f"{interpreter.version}-{_key(f'{source}{interpreter.version}')}"
    with _complete(target) as complete:
        if not complete:
            report(f"copying Python {interpreter.version} from {source}, which the server's user cannot enter")
            unneeded = ("site-packages", "test", "tests", "idlelib", "*.a", "share", "__pycache__")
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*unneeded))
            (target / "lib" / f"python{interpreter.minor}" / "site-packages").mkdir(exist_ok=True)
    copy = describe(str(target / "bin" / f"python{interpreter.minor}"))
    if copy is None:
        raise MissingRuntime(f"Python {interpreter.version} does not run as a copy in {target}")
    return copy


def make_environment(
    cache: Path,
    name: str,
    interpreter: Interpreter,
    requirements: Sequence[str],
    report: Say,
    *,
    tools: Tools = NO_TOOLS,
    borrowed: Path | None = None,
) -> Path:
    """A virtual environment in the cache, built if it is missing; it can import the packages in `borrowed` too. Raises
    MissingRuntime: there is no C compiler; InfrastructureError: the build failed; the message has its last lines."""
    identity = [interpreter.version, interpreter.base, [*requirements], tools.identity, str(borrowed or "")]
    home = cache / "runtimes" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{_key(json.dumps(identity))}"
    if (home / "complete").exists():
        return home
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise MissingRuntime(f"{tools.what} must be compiled and there is no C compiler: install gcc (or cc)")
    with _complete(home) as complete:
        if complete:
            return home
        report(f"building runtime {name}: {', '.join(requirements)}{tools.note}")
        python = str(home / "bin" / "python")
        own = home / "lib" / f"python{interpreter.minor}" / "site-packages"
        build = Build(home.parent / f"{home.name}.log", tools.hints)
        build.step(*_environment_maker(cache, interpreter, build), str(home))
        build.step(python, "-m", "pip", "install", "--disable-pip-version-check", *requirements)
        for requirement in requirements if interpreter.is_2 else []:
            if Requirement(requirement).name.lower() == "django":
                _complete_django(home, requirement, own, build)
        libraries = [f"{interpreter.base}/lib/python{interpreter.minor}", str(own.parent)]
        build.step(python, "-m", "compileall", "-q", *libraries, optional=True)
        if borrowed is not None:
            (own / "harness-borrowed.pth").write_text(f"{borrowed}\n")
    return home


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]  # short: a shebang may have 127 bytes on older kernels


@contextlib.contextmanager
def _complete(directory: Path) -> Iterator[bool]:
    """Is this directory of the cache complete? If not, it is removed, and complete when the block has succeeded."""
    marker = directory / "complete"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be building it
        complete = marker.exists()
        if not complete:
            shutil.rmtree(directory, ignore_errors=True)
        yield complete
        if not complete:
            marker.touch()


def _environment_maker(cache: Path, interpreter: Interpreter, build: Build) -> list[str]:
    """The command that makes an environment: the interpreter's own venv module, or virtualenv for Python 2."""
    if not interpreter.is_2:
        return [interpreter.executable, "-m", "venv"]
    python = sys.executable
    tool = cache / "tools" / f"{VIRTUALENV.replace('==', '-')}-{_key(f'{python}{sys.version}')}"
    with _complete(tool) as complete:
        if not complete:
            build.step(python, "-m", "venv", str(tool))
            build.step(str(tool / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", VIRTUALENV)
    # Its own data about interpreters is kept in the cache, not in the user's home.
    data = str(cache / "tools" / "virtualenv-data")
    return [str(tool / "bin" / "virtualenv"), "--python", interpreter.executable, "--app-data", data]


def _complete_django(home: Path, requirement: str, packages: Path, build: Build) -> None:
    """Add catalogues and templates, which a wheel lacks that pip has built from an old source archive."""
    archives = home / "sources"
    # This old pip fails if the machine has a constraints file, which it takes for a requirement.
    pip = ("env", "PIP_CONSTRAINT=/dev/null", str(home / "bin" / "python"), "-m", "pip", "download")
    build.step(
        *pip, "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:", "--dest", str(archives), requirement
    )
    for archive in archives.glob("*.tar.gz"):
        build.step("tar", "-xf", str(archive), "-C", str(archives))
    for source in archives.glob("*/django"):
        shutil.copytree(source, packages / "django", dirs_exist_ok=True)
    shutil.rmtree(archives)


class Build:
    """The commands of one build, and the log that they share."""

    def __init__(self, log: Path, hints: Mapping[str, str] = NO_TOOLS.hints) -> None:
        """`hints`: what to install, by a word of a failing log."""
        self._log = log
        self._hints = hints
        log.write_bytes(b"")

    def step(self, *command: str, optional: bool = False) -> None:
        """Run a command. Raises InfrastructureError: it fails, and is not optional; the message has its last lines."""
        try:
            with self._log.open("ab") as output:
                done = subprocess.run(
                    command,
                    stdout=output,
                    stderr=output,
                    timeout=BUILD_SECONDS,
                    check=False,
                    cwd=self._log.parent,
                    env=clean_environment(),
                )
        except subprocess.TimeoutExpired as error:
            raise InfrastructureError(f"building a runtime took over {BUILD_SECONDS} s: see {self._log}") from error
        except OSError as error:
            raise InfrastructureError(f"`{command[0]}` cannot be run: {error.strerror}") from error
        if done.returncode and not optional:
            tail = "\n  ".join(self._log.read_text(errors="replace").splitlines()[-LOG_LINES:])
            package = next((name for word, name in self._hints.items() if word in tail), "")
            hint = f"\n  Hint: install {package}." if package else ""
            raise InfrastructureError(f"`{' '.join(command)}` failed ({self._log}):\n  {tail}{hint}")


def interpreter_environment(interpreter: Interpreter) -> dict[str, str]:
    """The environment variables that a server needs for this interpreter."""
    variables = {"LD_LIBRARY_PATH": interpreter.library} if interpreter.library else {}
    if interpreter.minor_version < (3, 8):
        # There is no PYTHONPYCACHEPREFIX yet: bytecode could only be written beside the sources, and the site's tree
        # must not change. So each cold start compiles the site, as for any site that its server's user cannot write to.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables
