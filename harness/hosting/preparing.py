"""Prepares runtimes for Apache: builds mod_wsgi for the interpreter, and finds the httpd that it was built for."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.hosting.installed import installed_httpd
from harness.hosting.run_path import mend
from harness.runtimes import building
from harness.runtimes.building import Runtime, Tools, cache_directory, make_environment, reachable
from harness.runtimes.interpreters import Interpreter, describe, find_first
from harness.runtimes.packages import install_command, unsupported_system
from harness.runtimes.spec import SERVER_VERSION, RuntimeSpec, spec_named
from harness.runtimes.steps import Say

# The last release for Pythons before 3.10.
OLD_PYTHON_MOD_WSGI = "4.9.4"
# The cache key of builds with mod_wsgi's own httpd; the number changes when such builds are made in another way.
OWN_HTTPD = "own httpd 1"
# Measured on two slow cores and on one busy one: see the README.
OWN_HTTPD_TIME = "5 to 20 minutes"
# It prints two lines; more than this is a machine that stands still.
VERSION_SECONDS = 30


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
    _check_system()
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
    _check_system()
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
            f"{install_command('headers', minor=theirs.minor)}"
        )
    cache = cache_directory()
    ours = reachable(base, cache, report)
    borrowed = Path(theirs.packages) if ours is not base else None
    requirements, name = [mod_wsgi_requirement(mod_wsgi)], f"mod_wsgi-py{theirs.minor}"
    build = make_environment(cache, name, ours, requirements, report, tools=_tools(), borrowed=borrowed)
    home = build if borrowed else Path(theirs.prefix)
    return _describe_runtime(str(python), build, home, ours, mod_wsgi, borrowed)


def _check_system() -> None:
    """Raises MissingRuntime: this is no system on which the local backend can host anything."""
    if sentence := unsupported_system():
        raise MissingRuntime(sentence)


def mod_wsgi_requirement(version: str) -> str:
    """What pip installs for this version. Raises MissingRuntime: the apxs that $APXS names cannot be used."""
    return f"mod_wsgi=={version}" if installed_httpd().httpd else f"mod_wsgi-standalone=={version}"


def _tools() -> Tools:
    """How mod_wsgi is built. Raises MissingRuntime."""
    search = installed_httpd()
    hints = {
        "Python.h": f"the headers of this Python are missing ({install_command('headers')})",
        "expat": install_command("expat"),
        "apxs": install_command("httpd"),
        "Apache": install_command("httpd"),
        "cannot create executables": install_command("compiler"),
        "stdio.h": install_command("compiler"),
        "redhat-hardened": "dnf install redhat-rpm-config",
    }
    if search.httpd:
        tool = str(search.httpd.apxs)
        return Tools("mod_wsgi", identity=tool, hints=hints, environment={"APXS": tool})
    quicker = "" if "set but empty" in search.lack else f"; quicker: {search.remedy}, which takes a minute or two"
    return Tools(
        "mod_wsgi",
        identity=OWN_HTTPD,
        hints=hints,
        note=f" and httpd itself ({search.lack}; {search.seen}), once, in {OWN_HTTPD_TIME}{quicker}",
        environment={"APXS": None},
        needs=("compiler", "make"),
        instead=("httpd",),
        why=f" with an httpd of its own ({search.lack}; {search.seen})",
        finish=_mend_own_httpd,
    )


def _mend_own_httpd(home: Path) -> None:
    """Raises InfrastructureError: the httpd that was built does not run."""
    server = _own_httpd(home)
    if server is not None:
        mend(server)
        httpd_version(server / "bin" / "httpd")


def _own_httpd(build: Path) -> Path | None:
    """The directory of the httpd that mod_wsgi-standalone has built; None if it was built for an installed one."""
    return next(build.glob("lib/python*/site-packages/mod_wsgi_packages/httpd"), None)


def httpd_version(program: Path) -> str:
    """The version that an httpd reports; empty if it reports none. Raises InfrastructureError: it does not run."""
    try:
        done = subprocess.run(
            [program, "-v"], capture_output=True, text=True, errors="replace", timeout=VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InfrastructureError(f"{program} cannot be run: {error}") from error
    if done.returncode:
        raise InfrastructureError(f"{program} does not run: {' '.join(done.stderr.split()) or done.returncode}")
    match = re.search(r"Apache/(\S+)", done.stdout)
    return match[1] if match else ""


def _describe_runtime(
    name: str, build: Path, home: Path, interpreter: Interpreter, mod_wsgi: str, borrowed: Path | None = None
) -> ServerRuntime:
    """The runtime in `home`, with the mod_wsgi in `build`, which may be the same place."""
    library = next(build.glob("lib/python*/site-packages/mod_wsgi/server/mod_wsgi-*.so"), None)
    if library is None:
        raise InfrastructureError(f"{build}: mod_wsgi was installed, but its module is missing: delete this directory")
    httpd, modules = _httpd(build)
    python = home / "bin" / "python"
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
            "httpd": httpd_version(httpd),
        },
    )


def _httpd(build: Path) -> tuple[Path, Path]:
    """The httpd that this mod_wsgi was built for, and the directory of its modules."""
    own = _own_httpd(build)
    if own is not None:
        return own / "bin" / "httpd", own / "modules"
    search = installed_httpd()
    if search.httpd is None:
        raise MissingRuntime(f"the httpd that mod_wsgi was built for is gone ({search.lack}): {search.remedy}")
    return search.httpd.program, search.httpd.modules
