"""Builds environments of interpreters, once, and keeps them in a cache."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from packaging.requirements import Requirement

from harness import proc
from harness.cases.case import Case
from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes.bytecode import bytecode_directory
from harness.runtimes.interpreters import Interpreter, barring_directory, describe
from harness.runtimes.packages import find_compiler, install_command, system_name
from harness.runtimes.steps import Build, Progress, Say, elapsed

# A path that every build system can take: httpd's stumbles over spaces.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+-]+")
# How often a build that another process is making is looked at.
LOCK_SECONDS = 0.2
# What the cache keeps: places whose programs are run.
KEPT = ("interpreters", "runtimes", "tools")
# The last release that makes environments of Python 2.7, which has no venv module.
VIRTUALENV = "virtualenv==20.15.1"


@dataclass(frozen=True)
class Runtime:
    """A runtime that is ready: an interpreter with its packages. A server's runtime adds fields to it."""

    name: str
    python: Path
    python_home: Path
    reads: tuple[Path, ...]
    """Directories that the server's processes must be able to read."""
    bytecode: Path
    """Begins the names of the directories of its sites' bytecode."""
    environment: dict[str, str]
    versions: dict[str, str]

    @property
    def library_path(self) -> str:
        """Where a process that the server's user runs finds the interpreter's library."""
        return os.pathsep.join(str(path / "lib") for path in self.reads)

    def environment_for(self, case: Case, user: str = "") -> dict[str, str]:
        """The environment of a process that runs a site as `user` (empty: as this process)."""
        # The unprivileged server user can seldom write beside the sources. With a bytecode cache of the harness's own
        # no cold start compiles the site again, and the user's tree stays as it was.
        bytecode = bytecode_directory(self.bytecode.parent, self.bytecode.name, case.site_dir, user)
        own = {"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "PYTHONPYCACHEPREFIX": str(bytecode)}
        return {**own, **self.environment, **case.environment}


@dataclass(frozen=True)
class Tools:
    """What a server's packages are compiled with."""

    what: str
    """What is compiled."""
    identity: str | None
    """Part of the cache key: other tools need another build."""
    hints: Mapping[str, str] = field(default_factory=dict)
    """How to get what is missing, by a word of a failing log."""
    note: str = ""
    """What is built as well, for the user who waits."""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """Variables for the build; None: it must not have this one."""
    needs: Sequence[str] = ("compiler",)
    """What must be installed by the system: `compiler`, `make`."""
    instead: Sequence[str] = ()
    """What could be installed to have less to compile."""
    why: str = ""
    """Why there is more to compile, for an error."""
    finish: Callable[[Path], None] = lambda _: None
    """Completes an environment once its packages are installed. Raises InfrastructureError."""

    def check(self) -> None:
        """Raises MissingRuntime: what compiles is not on this machine; the message says how to get it."""
        known = {"compiler": ("a C compiler (cc or gcc)", find_compiler()), "make": ("make", proc.program("make"))}
        lacks = [need for need in self.needs if not known[need][1]]
        if lacks:
            what = " and no ".join(known[need][0].removeprefix("a ") for need in lacks)
            raise MissingRuntime(
                f"{self.what} must be compiled{self.why}, and {system_name()} has no {what}: "
                f"{install_command(*lacks, *self.instead)}"
            )


NO_TOOLS = Tools("a package", None)


def cache_directory() -> Path:
    """The cache: $HARNESS_CACHE, or .harness in the current directory. Raises BadInput: it cannot be written, or others
    could put programs there."""
    directory = Path(os.environ.get("HARNESS_CACHE") or ".harness").absolute()
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        for place in (directory, *(directory / name for name in KEPT)):
            if place.exists():
                check_owner(place)
        ignore = directory / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise BadInput(f"{directory}: the cache cannot be written: {error.strerror}; set HARNESS_CACHE") from error
    return directory


def check_owner(directory: Path) -> None:
    """Raises BadInput: another user than this one and root owns a directory, or every user may write there. Programs in
    it would be run. OSError."""
    info = directory.stat()
    if info.st_uid not in (0, os.geteuid()):
        raise BadInput(
            f"{directory}: belongs to another user (number {info.st_uid}), and programs in it would be run as yours: "
            f"set HARNESS_CACHE to a directory of your own"
        )
    if info.st_mode & stat.S_IWOTH:
        raise BadInput(
            f"{directory}: every user of this machine may write there, and programs in it would be run: delete it, or "
            f"set HARNESS_CACHE to a directory of your own"
        )


def reachable(interpreter: Interpreter, cache: Path, report: Say) -> Interpreter:
    """This interpreter, or a copy in the cache if the server's user cannot reach it. Raises MissingRuntime: no copy."""
    if not barring_directory(interpreter):
        return interpreter
    source = Path(interpreter.base)
    target = cache / "interpreters" / f"{interpreter.version}-{_key(f'{source}{interpreter.version}')}"
    with _complete(target, report) as complete:
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
        check_owner(home)
        return home
    tools.check()
    with _complete(home, report) as complete, _scratch(home) as places:
        if complete:
            return home
        begin = time.monotonic()
        report(f"building runtime {name}: {', '.join(requirements)}{tools.note}")
        python = str(home / "bin" / "python")
        own = home / "lib" / f"python{interpreter.minor}" / "site-packages"
        build = Build(
            log_of(home),
            {"ensurepip": install_command("venv", minor=interpreter.minor), **tools.hints},
            report=report,
            environment={**places, **tools.environment},
        )
        build.step(*_environment_maker(cache, interpreter, build), str(home))
        # With the output of what it builds, which is how the user sees that a long build goes on.
        build.step(python, "-m", "pip", "install", "--verbose", "--disable-pip-version-check", *requirements)
        for requirement in requirements if interpreter.is_2 else []:
            if Requirement(requirement).name.lower() == "django":
                _complete_django(home, requirement, own, build)
        libraries = [f"{interpreter.base}/lib/python{interpreter.minor}", str(own.parent)]
        build.step(python, "-m", "compileall", "-q", *libraries, optional=True)
        if borrowed is not None:
            (own / "harness-borrowed.pth").write_text(f"{borrowed}\n")
        tools.finish(home)
        report(f"runtime {name} is ready: {elapsed(time.monotonic() - begin)}")
    return home


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]  # short: a shebang may have 127 bytes on older kernels


def log_of(directory: Path) -> Path:
    """The log of the build of a directory of the cache."""
    return directory.parent / f"{directory.name}.log"


@contextlib.contextmanager
def _complete(directory: Path, report: Say = lambda _: None) -> Iterator[bool]:
    """Is this directory of the cache complete? If not, it is removed, and complete when the block has succeeded; what
    a block that fails or is interrupted has made is removed as well. Raises InfrastructureError: a file cannot be
    written."""
    marker = directory / "complete"
    try:
        directory.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        with (directory.parent / f"{directory.name}.lock").open("w") as lock:
            _wait_for(lock, directory, report)
            complete = marker.exists()
            if complete:
                yield True
                return
            shutil.rmtree(directory, ignore_errors=True)
            try:
                yield False
                marker.touch()
            except BaseException:
                shutil.rmtree(directory, ignore_errors=True)
                raise
    except OSError as error:  # the disk is full, or the cache is another user's
        raise InfrastructureError(
            f"{directory}: cannot be made: {error.strerror or error}; see HARNESS_CACHE"
        ) from error


@contextlib.contextmanager
def _scratch(directory: Path) -> Iterator[dict[str, str]]:
    """Variables that name a temporary directory for a build: what an interrupted build leaves there is removed, too."""
    scratch = directory.parent / f"{directory.name}.tmp"
    shutil.rmtree(scratch, ignore_errors=True)
    if not _PLAIN_PATH.fullmatch(str(scratch)):
        yield {}
        return
    scratch.mkdir(mode=0o700)
    try:
        yield {"TMPDIR": str(scratch)}
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _wait_for(lock: TextIO, directory: Path, report: Say) -> None:
    """Lock a directory of the cache, which another process may be building."""
    with Progress(f"  waiting for another process, which builds {directory.name}", log_of(directory), report) as wait:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(LOCK_SECONDS)
                wait.tick()


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


def interpreter_environment(interpreter: Interpreter) -> dict[str, str]:
    """The environment variables that a server needs for this interpreter."""
    variables = {"LD_LIBRARY_PATH": interpreter.library} if interpreter.library else {}
    if interpreter.minor_version < (3, 8):
        # There is no PYTHONPYCACHEPREFIX yet: bytecode could only be written beside the sources, and the site's tree
        # must not change. So each cold start compiles the site, as for any site that its server's user cannot write to.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
    return variables
