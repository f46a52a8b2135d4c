"""Runtimes made ready for Apache: a mod_wsgi built for the interpreter, and the httpd that it was built for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes.building import (
    Runtime,
    Say,
    Tools,
    cache_directory,
    interpreter_environment,
    make_environment,
    reachable,
)
from harness.runtimes.interpreters import Interpreter, describe, find_first
from harness.runtimes.spec import RuntimeSpec, spec_named


@dataclass(frozen=True)
class ServerRuntime(Runtime):
    """A runtime with the server that is built for it."""

    mod_wsgi: Path
    httpd: Path
    httpd_modules: Path


def prepare(name: str, spec: RuntimeSpec, report: Say = lambda _: None) -> ServerRuntime:
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
    interpreter = reachable(found, cache, report)
    home = make_environment(
        cache, name, interpreter, [spec.django, mod_wsgi_requirement(spec.server_version)], report, tools=_tools()
    )
    return _describe_runtime(name, home, home, interpreter, spec.server_version, ())


class Runtimes:
    """The declared runtimes, each prepared once when it is first asked for."""

    def __init__(self, declared: dict[str, RuntimeSpec], report: Say = lambda _: None) -> None:
        self._declared = declared
        self._report = report
        self._known: dict[str, ServerRuntime | MissingRuntime] = {}

    def get(self, name: str) -> ServerRuntime:
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


def prepare_for_python(python: Path, report: Say = lambda _: None, mod_wsgi: str = "6.1.1") -> ServerRuntime:
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
    ours = reachable(base, cache, report)
    borrowed = Path(theirs.packages) if ours is not base else None
    requirements = [mod_wsgi_requirement(mod_wsgi)]
    build = make_environment(
        cache, f"mod_wsgi-py{theirs.minor}", ours, requirements, report, tools=_tools(), borrowed=borrowed
    )
    home = Path(theirs.prefix) if borrowed is None else build
    return _describe_runtime(str(python), build, home, ours, mod_wsgi, (borrowed,) if borrowed else ())


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


def _tools() -> Tools:
    tool = apxs()
    return Tools(
        what="mod_wsgi",
        identity=tool,
        hints={"ensurepip": "python3-venv", "apxs": "apache2-dev", "Apache": "apache2-dev"},
        note="" if tool else " and httpd itself, which takes minutes the first time",
    )


def _describe_runtime(
    name: str, build: Path, home: Path, interpreter: Interpreter, mod_wsgi: str, borrowed: tuple[Path, ...]
) -> ServerRuntime:
    library = next(build.glob("lib/python*/site-packages/mod_wsgi/server/mod_wsgi-*.so"), None)
    if library is None:
        raise InfrastructureError(f"{build}: mod_wsgi was installed there, but its module is missing; delete it")
    httpd, modules = _httpd(build)
    described = describe(str(home / "bin" / "python")) or interpreter
    version = subprocess.run([httpd, "-v"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"Apache/(\S+)", version)
    return ServerRuntime(
        name=name,
        python=home / "bin" / "python",
        python_home=home,
        reads=(home, Path(interpreter.base), *borrowed),
        mod_wsgi=library,
        httpd=httpd,
        httpd_modules=modules,
        bytecode=cache_directory() / "bytecode" / f"{build.name}",
        environment=interpreter_environment(interpreter),
        versions={
            "python": interpreter.version,
            "django": described.django or "",
            "mod_wsgi": mod_wsgi,
            "httpd": found[1] if found else "",
        },
    )


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
