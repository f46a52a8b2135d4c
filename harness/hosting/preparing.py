"""Prepares runtimes for Apache: builds mod_wsgi for the interpreter, and finds the httpd that it was built for."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.runtimes import building
from harness.runtimes.building import Runtime, Say, Tools, cache_directory, make_environment, reachable
from harness.runtimes.interpreters import Interpreter, describe, find_first
from harness.runtimes.spec import SERVER_VERSION, RuntimeSpec, spec_named

# The last release for Pythons before 3.10.
OLD_PYTHON_MOD_WSGI = "4.9.4"


@dataclass(frozen=True)
class ServerRuntime(Runtime):
    """A runtime with the server that was built for it."""

    mod_wsgi: Path
    httpd: Path
    httpd_modules: Path


def prepare(name: str, spec: RuntimeSpec, report: Say = lambda _: None) -> ServerRuntime:
    """The runtime of that name, built if it is not in the cache. Raises MissingRuntime: the interpreter or a compiler
    is missing; the message says how to get it; InfrastructureError: the build failed; the message has its last lines.
    """
    cache = cache_directory()
    try:
        base = find_first(spec.pythons)
    except MissingRuntime as error:
        raise MissingRuntime(f"{error}; or in a container: `{spec.compose}`" if spec.compose else f"{error}") from error
    interpreter = reachable(base, cache, report)
    requirements = [spec.django, mod_wsgi_requirement(spec.server_version)]
    home = make_environment(cache, name, interpreter, requirements, report, tools=_tools())
    return _describe_runtime(name, home, home, interpreter, spec.server_version)


class Runtimes:
    """The declared runtimes, each prepared when it is first needed."""

    def __init__(self, declared: dict[str, RuntimeSpec], report: Say = lambda _: None) -> None:
        self._declared = declared
        self._report = report
        self._known: dict[str, ServerRuntime | MissingRuntime] = {}

    def get(self, name: str) -> ServerRuntime:
        """The runtime of that name. Raises BadInput, InfrastructureError; MissingRuntime: again at every call."""
        if name not in self._known:
            try:
                self._known[name] = prepare(name, spec_named(name, self._declared), self._report)
            except MissingRuntime as error:
                self._known[name] = error
        runtime = self._known[name]
        if isinstance(runtime, MissingRuntime):
            raise runtime
        return runtime


def prepare_for_python(python: Path, report: Say = lambda _: None, mod_wsgi: str = SERVER_VERSION) -> ServerRuntime:
    """A runtime around an interpreter or environment of the user's, which has what the script imports.

    Nothing is installed in it: mod_wsgi is built for the same interpreter, in the cache. An interpreter that the
    server's user cannot reach is copied into the cache, and borrows the packages of the user's environment. Raises
    BadInput: `python` is no interpreter; MissingRuntime: it has no headers, or there is no compiler, to build mod_wsgi
    with; InfrastructureError: the build failed."""
    if python.is_dir():
        python = python / "bin" / "python"
    theirs = describe(str(python.absolute()))
    if theirs is None:
        raise BadInput(f"--python {python}: no such interpreter, or it does not run")
    if theirs.minor_version < (3, 10):
        mod_wsgi = OLD_PYTHON_MOD_WSGI
    base = describe(str(Path(theirs.base) / "bin" / f"python{theirs.minor}"))
    if base is None or not base.has_headers:
        raise MissingRuntime(
            f"Python {theirs.minor} in {theirs.base} has no headers, which mod_wsgi needs: "
            f"install python{theirs.minor}-dev"
        )
    cache = cache_directory()
    ours = reachable(base, cache, report)
    borrowed = Path(theirs.packages) if ours is not base else None
    requirements, name = [mod_wsgi_requirement(mod_wsgi)], f"mod_wsgi-py{theirs.minor}"
    build = make_environment(cache, name, ours, requirements, report, tools=_tools(), borrowed=borrowed)
    home = build if borrowed else Path(theirs.prefix)
    return _describe_runtime(str(python), build, home, ours, mod_wsgi, borrowed)


def apxs() -> str | None:
    """The apxs of the httpd to use; None stands for the httpd that mod_wsgi-standalone builds.

    $APXS names another; set but empty, it selects mod_wsgi-standalone. Raises MissingRuntime: $APXS is no program.
    """
    if named := os.environ.get("APXS"):
        if not os.access(named, os.X_OK):
            raise MissingRuntime(f"APXS={named}: no such program; install apache2-dev, or unset APXS")
        return named
    if "APXS" in os.environ:
        return None
    return shutil.which("apxs") or shutil.which("apxs2")


def mod_wsgi_requirement(version: str) -> str:
    """What pip installs for this version. Raises MissingRuntime: $APXS is no program."""
    return f"mod_wsgi=={version}" if apxs() else f"mod_wsgi-standalone=={version}"


def _tools() -> Tools:
    tool = apxs()
    return Tools(
        what="mod_wsgi",
        identity=tool,
        hints={"ensurepip": "python3-venv", "apxs": "apache2-dev", "Apache": "apache2-dev"},
        note="" if tool else " and httpd itself (takes minutes the first time)",
    )


def _describe_runtime(
    name: str, build: Path, home: Path, interpreter: Interpreter, mod_wsgi: str, borrowed: Path | None = None
) -> ServerRuntime:
    """The runtime in `home`, with the mod_wsgi in `build`, which may be the same place."""
    library = next(build.glob("lib/python*/site-packages/mod_wsgi/server/mod_wsgi-*.so"), None)
    if library is None:
        raise InfrastructureError(f"{build}: mod_wsgi was installed, but its module is missing: delete this directory")
    httpd, modules = _httpd(build)
    python = home / "bin" / "python"
    version = subprocess.run([httpd, "-v"], capture_output=True, text=True, check=False).stdout
    match = re.search(r"Apache/(\S+)", version)
    return ServerRuntime(
        name=name,
        python=python,
        python_home=home,
        reads=(home, Path(interpreter.base), *([borrowed] if borrowed else [])),
        mod_wsgi=library,
        httpd=httpd,
        httpd_modules=modules,
        bytecode=cache_directory() / "bytecode" / build.name,
        environment=building.interpreter_environment(interpreter),
        versions={
            "python": interpreter.version,
            "django": (describe(str(python)) or interpreter).django or "",
            "mod_wsgi": mod_wsgi,
            "httpd": match[1] if match else "",
        },
    )


def _httpd(build: Path) -> tuple[Path, Path]:
    """The httpd that this mod_wsgi was built for, and the directory of its modules."""
    own = next(build.glob("lib/python*/site-packages/mod_wsgi_packages/httpd"), None)
    if own is not None:
        return own / "bin" / "httpd", own / "modules"
    tool = apxs()
    if tool is None:
        raise MissingRuntime("apxs is gone: install apache2-dev")

    def query(key: str) -> str:
        return subprocess.run([tool, "-q", key], capture_output=True, text=True, check=True).stdout.strip()

    try:
        return Path(query("sbindir")) / query("progname"), Path(query("libexecdir"))
    except (OSError, subprocess.CalledProcessError) as error:
        raise MissingRuntime(f"{tool} does not work: {error}") from error
