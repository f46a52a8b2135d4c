"""Environments of interpreters, made once and kept in a cache."""

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

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes.interpreters import Interpreter, _barred, clean_environment, describe

BUILD_SECONDS = 1800


VIRTUALENV = "virtualenv==20.15.1"  # the last that makes environments of Python 2.7, which has no venv module


Say = Callable[[str], None]


@dataclass(frozen=True)
class Runtime:
    """A runtime that is ready: an interpreter with its packages. A server adds what it needs."""

    name: str
    python: Path
    python_home: Path
    reads: tuple[Path, ...]
    """Directories that the server's processes must be able to read."""
    bytecode: Path
    environment: dict[str, str]
    versions: dict[str, str]


@dataclass(frozen=True)
class Tools:
    """What a server's packages are compiled with."""

    what: str
    """What is compiled."""
    identity: str | None
    """Another one needs another build."""
    hints: Mapping[str, str]
    """By a word of a failing log, what to install."""
    note: str = ""
    """What is built beside it, for whoever waits."""


NO_TOOLS = Tools("a package", None, {"ensurepip": "python3-venv"})


def cache_directory() -> Path:
    """Where runtimes are kept: $HARNESS_CACHE, or .harness in the current directory."""
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
    """A copy in the cache of an interpreter that lies where the server user cannot go (root's home)."""
    if not _barred(interpreter):
        return interpreter
    source = Path(interpreter.base)
    key = hashlib.sha256(f"{source}{interpreter.version}".encode()).hexdigest()[:8]
    target = cache / "interpreters" / f"{interpreter.version}-{key}"
    with _made_once(target) as there:
        if not there:
            report(f"copying Python {interpreter.version} out of {source}, which the server user cannot enter")
            left_out = ("site-packages", "test", "tests", "idlelib", "*.a", "share", "__pycache__")
            shutil.copytree(source, target, symlinks=True, ignore=shutil.ignore_patterns(*left_out))
            (target / "lib" / f"python{interpreter.minor}" / "site-packages").mkdir(exist_ok=True)
    copied = describe(str(target / "bin" / f"python{interpreter.minor}"))
    if copied is None:
        raise MissingRuntime(f"Python {interpreter.version} does not run as a copy in {target}")
    return copied


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
    """A virtual environment in the cache, made unless it is there; `borrowed` are packages it can import too.

    Raises:
        MissingRuntime: there is no C compiler.
        InfrastructureError: the build failed; carries its last lines.
    """
    key = json.dumps([interpreter.version, interpreter.base, [*requirements], tools.identity, str(borrowed or "")])
    home = cache / "runtimes" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    if (home / "complete").exists():
        return home
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise MissingRuntime(f"{tools.what} must be compiled and there is no C compiler: install gcc (or cc)")
    with _made_once(home) as there:
        if there:
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


@contextlib.contextmanager
def _made_once(directory: Path) -> Iterator[bool]:
    """Is this directory of the cache complete? If not, it is empty now, and complete when the block has ended well."""
    marker = directory / "complete"
    directory.parent.mkdir(parents=True, exist_ok=True)
    with (directory.parent / f"{directory.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another worker may be making it
        there = marker.exists()
        if not there:
            shutil.rmtree(directory, ignore_errors=True)
        yield there
        if not there:
            marker.touch()


def _environment_maker(cache: Path, interpreter: Interpreter, build: Build) -> list[str]:
    """The command that makes an environment of this interpreter: its own venv module, or virtualenv for Python 2."""
    if not interpreter.is_2:
        return [interpreter.executable, "-m", "venv"]
    python = sys.executable
    key = hashlib.sha256(f"{python}{sys.version}".encode()).hexdigest()[:8]
    tool = cache / "tools" / f"{VIRTUALENV.replace('==', '-')}-{key}"
    with _made_once(tool) as there:
        if not there:
            build.step(python, "-m", "venv", str(tool))
            build.step(str(tool / "bin/python"), "-m", "pip", "install", "--disable-pip-version-check", VIRTUALENV)
    # What it remembers of interpreters is kept beside it, not in the user's home.
    data = str(cache / "tools" / "virtualenv-data")
    return [str(tool / "bin" / "virtualenv"), "--python", interpreter.executable, "--app-data", data]


def _complete_django(home: Path, requirement: str, packages: Path, build: Build) -> None:
    """Add what a wheel lacks that pip has built from an old source archive: catalogues, templates."""
    archives = home / "sources"
    # This old pip takes a constraints file of the machine's for a requirement, and fails.
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
    """The commands that build something, and the log that they share."""

    def __init__(self, log: Path, hints: Mapping[str, str] = NO_TOOLS.hints) -> None:
        """`hints` are what to install, by a word of a failing log."""
        self._log = log
        self._hints = hints
        log.write_bytes(b"")

    def step(self, *command: str, optional: bool = False) -> None:
        """Raises InfrastructureError with the last lines, unless the step may fail."""
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
            tail = "\n  ".join(self._log.read_text(errors="replace").splitlines()[-12:])
            found = next((name for word, name in self._hints.items() if word in tail), "")
            hint = f"\n  Hint: install {found}." if found else ""
            raise InfrastructureError(f"`{' '.join(command)}` failed ({self._log}):\n  {tail}{hint}")


def interpreter_environment(interpreter: Interpreter) -> dict[str, str]:
    """What the server's environment must hold for this interpreter."""
    found = {"LD_LIBRARY_PATH": interpreter.library} if interpreter.library else {}
    if interpreter.minor_version < (3, 8):
        # Before PYTHONPYCACHEPREFIX bytecode has no place but beside the sources, and the site's tree is to stay as it
        # was. So a cold start compiles what lies there without bytecode, as it does for any site that its server's
        # user cannot write to.
        found["PYTHONDONTWRITEBYTECODE"] = "1"
    return found
