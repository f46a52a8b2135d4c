"""Runtimes: an interpreter with a Django and a mod_wsgi built for it, made once and kept in a cache."""

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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes.interpreters import Interpreter, _barred, clean_environment, describe, find_first
from harness.runtimes.spec import RuntimeSpec, spec_named

BUILD_SECONDS = 1800


VIRTUALENV = "virtualenv==20.15.1"  # the last that makes environments of Python 2.7, which has no venv module


Say = Callable[[str], None]


@dataclass(frozen=True)
class Runtime:
    """A runtime that is ready to host a site."""

    name: str
    python: Path
    python_home: Path
    reads: tuple[Path, ...]
    """Directories that the server's processes must be able to read."""
    mod_wsgi: Path
    httpd: Path
    httpd_modules: Path
    bytecode: Path
    environment: dict[str, str]
    versions: dict[str, str]


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


def _reachable(interpreter: Interpreter, cache: Path, report: Say) -> Interpreter:
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


def prepare(name: str, spec: RuntimeSpec, report: Say = lambda _: None) -> Runtime:
    """The runtime of that name, built if it is not in the cache.

    Raises:
        MissingRuntime: the interpreter or a compiler is missing; says how to get it.
        InfrastructureError: the build failed; carries its last lines.
    """
    cache = cache_directory()
    try:
        found = find_first(spec.pythons)
    except MissingRuntime as error:
        raise MissingRuntime(f"{error}; or in a container: `{spec.compose}`" if spec.compose else f"{error}") from error
    interpreter = _reachable(found, cache, report)
    home = _environment(cache, name, interpreter, [spec.django, mod_wsgi_requirement(spec.mod_wsgi)], report)
    return _describe_runtime(name, home, home, interpreter, spec.mod_wsgi, ())


class Runtimes:
    """The declared runtimes, each prepared once when it is first asked for."""

    def __init__(self, declared: dict[str, RuntimeSpec], report: Say = lambda _: None) -> None:
        self._declared = declared
        self._report = report
        self._known: dict[str, Runtime | MissingRuntime] = {}

    def get(self, name: str) -> Runtime:
        """Raises BadInput, InfrastructureError; and MissingRuntime each time one is asked for that cannot be had."""
        if name not in self._known:
            try:
                self._known[name] = prepare(name, spec_named(name, self._declared), self._report)
            except MissingRuntime as error:
                self._known[name] = error
        found = self._known[name]
        if isinstance(found, MissingRuntime):
            raise found
        return found


def prepare_for_python(python: Path, report: Say = lambda _: None, mod_wsgi: str = "6.1.1") -> Runtime:
    """A runtime around an interpreter or environment of the user's that holds what the script imports.

    Nothing is installed there: mod_wsgi is built for the same interpreter, in the cache. An interpreter that
    the server user cannot reach is copied there too, and borrows the packages of the user's environment.

    Raises:
        BadInput: not an interpreter.
        MissingRuntime: it has no headers to build mod_wsgi with.
    """
    if python.is_dir():
        python = python / "bin" / "python"
    theirs = describe(str(python.absolute()))
    if theirs is None:
        raise BadInput(f"--python {python}: no such interpreter, or it does not run")
    if theirs.minor_version < (3, 10):
        mod_wsgi = "4.9.4"  # the last for older Pythons
    base = describe(str(Path(theirs.base) / "bin" / f"python{theirs.minor}"))
    if base is None or not base.has_headers:
        raise MissingRuntime(
            f"Python {theirs.minor} in {theirs.base} has no headers, which mod_wsgi needs: "
            f"install python{theirs.minor}-dev"
        )
    cache = cache_directory()
    reachable = _reachable(base, cache, report)
    borrowed = Path(theirs.packages) if reachable is not base else None
    requirements = [mod_wsgi_requirement(mod_wsgi)]
    build = _environment(cache, f"mod_wsgi-py{theirs.minor}", reachable, requirements, report, borrowed)
    home = Path(theirs.prefix) if borrowed is None else build
    return _describe_runtime(str(python), build, home, reachable, mod_wsgi, (borrowed,) if borrowed else ())


def apxs() -> str | None:
    """The apxs of the httpd to use; None means the httpd that mod_wsgi-standalone brings along.

    $APXS names another one; set but empty, it asks for mod_wsgi-standalone. Raises MissingRuntime.
    """
    if named := os.environ.get("APXS"):
        if not os.access(named, os.X_OK):
            raise MissingRuntime(f"APXS={named}: there is no such program; install apache2-dev, or unset APXS")
        return named
    if "APXS" in os.environ:
        return None
    return shutil.which("apxs") or shutil.which("apxs2")


def mod_wsgi_requirement(version: str) -> str:
    return f"mod_wsgi=={version}" if apxs() else f"mod_wsgi-standalone=={version}"


def _environment(
    cache: Path,
    name: str,
    interpreter: Interpreter,
    requirements: list[str],
    report: Say,
    borrowed: Path | None = None,
) -> Path:
    """A virtual environment in the cache, made unless it is there; `borrowed` are packages it can import too."""
    key = json.dumps([interpreter.version, interpreter.base, requirements, apxs(), str(borrowed or "")])
    home = cache / "runtimes" / f"{re.sub(r'[^A-Za-z0-9.]+', '-', name)}-{hashlib.sha256(key.encode()).hexdigest()[:8]}"
    if (home / "complete").exists():
        return home
    if shutil.which("cc") is None and shutil.which("gcc") is None:
        raise MissingRuntime("mod_wsgi must be compiled and there is no C compiler: install gcc (or cc)")
    with _made_once(home) as there:
        if there:
            return home
        minutes = "" if apxs() else " and httpd itself, which takes minutes the first time"
        report(f"building runtime {name}: {', '.join(requirements)}{minutes}")
        python = str(home / "bin" / "python")
        own = home / "lib" / f"python{interpreter.minor}" / "site-packages"
        build = _Build(home.parent / f"{home.name}.log")
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


def _environment_maker(cache: Path, interpreter: Interpreter, build: _Build) -> list[str]:
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


def _complete_django(home: Path, requirement: str, packages: Path, build: _Build) -> None:
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


class _Build:
    """The commands that build something, and the log that they share."""

    def __init__(self, log: Path) -> None:
        self._log = log
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
            hint = ""
            if "ensurepip" in tail:
                hint = "\n  Hint: install python3-venv."
            elif "apxs" in tail or "Apache" in tail:
                hint = "\n  Hint: install apache2-dev."
            raise InfrastructureError(f"`{' '.join(command)}` failed ({self._log}):\n  {tail}{hint}")


def _describe_runtime(
    name: str, build: Path, home: Path, interpreter: Interpreter, mod_wsgi: str, borrowed: tuple[Path, ...]
) -> Runtime:
    library = next(build.glob("lib/python*/site-packages/mod_wsgi/server/mod_wsgi-*.so"), None)
    if library is None:
        raise InfrastructureError(f"{build}: mod_wsgi was installed there, but its module is missing; delete it")
    httpd, modules = _httpd(build)
    described = describe(str(home / "bin" / "python")) or interpreter
    version = subprocess.run([httpd, "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Apache/(\S+)", version)
    return Runtime(
        name=name,
        python=home / "bin" / "python",
        python_home=home,
        reads=(home, Path(interpreter.base), *borrowed),
        mod_wsgi=library,
        httpd=httpd,
        httpd_modules=modules,
        bytecode=cache_directory() / "bytecode" / f"{build.name}",
        environment=_interpreter_environment(interpreter),
        versions={
            "python": interpreter.version,
            "django": described.django or "",
            "mod_wsgi": mod_wsgi,
            "httpd": found[1] if found else "",
        },
    )


def _interpreter_environment(interpreter: Interpreter) -> dict[str, str]:
    """What the server's environment must hold for this interpreter."""
    found = {"LD_LIBRARY_PATH": interpreter.library} if interpreter.library else {}
    if interpreter.minor_version < (3, 8):
        # Before PYTHONPYCACHEPREFIX bytecode has no place but beside the sources, and the site's tree is to stay as it
        # was. So a cold start compiles what lies there without bytecode, as it does for any site that its server's
        # user cannot write to.
        found["PYTHONDONTWRITEBYTECODE"] = "1"
    return found


def _httpd(build: Path) -> tuple[Path, Path]:
    """The httpd that this mod_wsgi was built for, and its modules."""
    own = next(build.glob("lib/python*/site-packages/mod_wsgi_packages/httpd"), None)
    if own is not None:
        return own / "bin" / "httpd", own / "modules"
    tool = apxs()
    if tool is None:
        raise MissingRuntime("there is no apxs any more: install apache2-dev")

    def query(key: str) -> str:
        return subprocess.run([tool, "-q", key], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return Path(query("sbindir")) / query("progname"), Path(query("libexecdir"))
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingRuntime(f"{tool} does not work: {error}") from error
