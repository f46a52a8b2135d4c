"""Runtimes: an interpreter with a Django and a mod_wsgi built for it, made once and kept in a cache."""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import pydantic
from packaging.requirements import Requirement
from pydantic import Field

from harness.errors import BadInput, InfrastructureError, MissingRuntime
from harness.hosting import proc
from harness.scenario import nearest, parse_toml

BUILD_SECONDS = 1800
VIRTUALENV = "virtualenv==20.15.1"  # the last that makes environments of Python 2.7, which has no venv module
Report = Callable[[str], None]

# What an interpreter says of itself. Runs on Python 2.7 too.
DESCRIBE = """
import glob, json, os, re, sys, sysconfig
base = getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", sys.prefix)
def version_of(name):
    try:
        return __import__(name).get_version()
    except Exception:
        return None
packages = sysconfig.get_path("purelib")
found = [re.search(r"/mod_wsgi-([0-9.]+)[.-]", p + "-") for p in glob.glob(os.path.join(packages, "mod_wsgi-*"))]
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable, "prefix": sys.prefix,
    "base": base, "include": sysconfig.get_path("include"), "library": sysconfig.get_config_var("LIBDIR") or "",
    "packages": packages, "mod_wsgi": ([m.group(1) for m in found if m] + [None])[0], "django": version_of("django"),
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


class _Spec(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


Minor = Annotated[str, Field(pattern=r"^\d+\.\d+$")]


class RuntimeSpec(_Spec):
    """A named combination, as a runtimes file declares it; of several Pythons the first that is here is taken."""

    python: Minor | list[Minor]
    django: str = Field(pattern=r"^[Dd]jango\b")
    mod_wsgi: str = Field("6.1.1", pattern=r"^\d+(\.\d+)+$")
    compose: str = Field("", description="the command that starts services of this runtime")

    @property
    def pythons(self) -> list[str]:
        return self.python if isinstance(self.python, list) else [self.python]

    def describes(self, interpreter: Interpreter) -> bool:
        """Is this interpreter, with the packages it has, such a runtime?"""
        return (
            interpreter.minor in self.pythons
            and interpreter.mod_wsgi == self.mod_wsgi
            and interpreter.django is not None
            and Requirement(self.django).specifier.contains(interpreter.django)
        )

    def __str__(self) -> str:
        return f"Python {' or '.join(self.pythons)}, {self.django}, mod_wsgi {self.mod_wsgi}"


class _RuntimesFile(_Spec):
    runtimes: dict[str, RuntimeSpec]


class Interpreter(msgspec.Struct, frozen=True):
    """An interpreter as it describes itself."""

    version: str
    executable: str
    prefix: str
    base: str
    include: str
    library: str
    packages: str = ""
    gil: bool = True
    django: str | None = None
    mod_wsgi: str | None = None

    @property
    def minor(self) -> str:
        return ".".join(self.version.split(".")[:2])

    @property
    def minor_version(self) -> tuple[int, ...]:
        return tuple(map(int, self.minor.split(".")))

    @property
    def is_2(self) -> bool:
        return self.minor_version < (3,)

    @property
    def has_headers(self) -> bool:
        return (Path(self.include) / "Python.h").is_file()


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


def declared_runtimes(extra: Path | None = None) -> dict[str, RuntimeSpec]:
    """The built-in runtimes and those of the user's file. Raises BadInput."""
    builtin = Path(__file__).with_name("runtimes.toml")
    found = dict(parse_toml(_RuntimesFile, builtin.read_text(), str(builtin)).runtimes)
    if extra is not None:
        try:
            text = extra.read_text()
        except OSError as error:
            raise BadInput(f"{extra}: cannot be read: {error.strerror}") from error
        found |= parse_toml(_RuntimesFile, text, str(extra)).runtimes
    return found


def spec_named(name: str, declared: dict[str, RuntimeSpec]) -> RuntimeSpec:
    """Raises BadInput for a name that is not declared."""
    if name not in declared:
        raise BadInput(
            f"runtime {name!r} is not declared{nearest(name, declared)} (declared: {', '.join(sorted(declared))})"
        )
    return declared[name]


# -- interpreters ----------------------------------------------------------------------------------------


@functools.cache
def describe(executable: str) -> Interpreter | None:
    """Ask an interpreter what it is; None if it does not run."""
    try:
        # From a neutral directory: a django/ beside the caller is not this interpreter's.
        done = subprocess.run(
            [executable, "-c", DESCRIBE], capture_output=True, timeout=60, check=True, cwd="/", env=clean_environment()
        )
        return msgspec.json.decode(done.stdout, type=Interpreter)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None


def clean_environment() -> dict[str, str]:
    """This process's environment without what would redirect another interpreter."""
    dropped = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "DJANGO_SETTINGS_MODULE"}
    return {key: value for key, value in os.environ.items() if key not in dropped}


def interpreters(minor: str | None = None) -> Iterator[Interpreter]:
    """Base interpreters of this machine, of one minor version or all: PATH, then pyenv, then uv."""
    seen: set[tuple[str, str]] = set()
    for candidate in _candidates(minor):
        found = describe(str(candidate))
        if found is None or (minor and found.minor != minor) or found.prefix != found.base:
            continue
        key = (found.version, os.path.realpath(found.base))
        if key not in seen:
            seen.add(key)
            yield found


def _candidates(minor: str | None) -> Iterator[Path]:
    name = re.compile("python" + (re.escape(minor) if minor else "[23][.][0-9]+") + "t?$")
    for directory in [*os.environ.get("PATH", os.defpath).split(os.pathsep), "/usr/bin", "/usr/local/bin"]:
        with contextlib.suppress(OSError):
            yield from sorted(each for each in Path(directory).iterdir() if name.match(each.name))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    for root, pattern in ((pyenv, f"{minor or ''}*"), (uv, f"cpython-{minor or ''}*")):
        with contextlib.suppress(OSError):  # $PYENV_ROOT may be somebody else's
            yield from sorted(root.glob(f"{pattern}/bin/python"), reverse=True)


def find_interpreter(minor: str) -> Interpreter:
    """The interpreter for a runtime: one that the server user can reach, before one that must be copied.

    Raises:
        MissingRuntime: there is none, or none with headers; says how to get it.
    """
    found = list(interpreters(minor))
    usable = [each for each in found if each.has_headers]
    if not found:
        uv = "" if minor.startswith("2.") else f"`uv python install {minor}`, "  # uv has no Python 2
        raise MissingRuntime(
            f"Python {minor} is not on this machine (looked on PATH, in pyenv and uv): "
            f"{uv}`pyenv install {minor}`, or your system's python{minor} and its -dev package"
        )
    if not usable:
        raise MissingRuntime(
            f"Python {minor} ({found[0].executable}) has no headers, which mod_wsgi needs: install python{minor}-dev"
        )
    return next((each for each in usable if not _barred(each)), usable[0])


def find_first(minors: Sequence[str]) -> Interpreter:
    """The interpreter of the first of these versions that this machine has. Raises MissingRuntime."""
    missing = []
    for minor in minors:
        try:
            return find_interpreter(minor)
        except MissingRuntime as error:
            missing.append(error)
    others = f" (nor is there Python {', '.join(minors[1:])})" if minors[1:] else ""
    raise MissingRuntime(f"{missing[0]}{others}")


def _barred(interpreter: Interpreter) -> Path | None:
    user, _ = proc.server_user()
    return proc.barred_directory(Path(interpreter.base) / "lib", user) if user else None


def _reachable(interpreter: Interpreter, cache: Path, report: Report) -> Interpreter:
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


# -- building --------------------------------------------------------------------------------------------


def prepare(name: str, spec: RuntimeSpec, report: Report = lambda _: None) -> Runtime:
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

    def __init__(self, declared: dict[str, RuntimeSpec], report: Report = lambda _: None) -> None:
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


def prepare_for_python(python: Path, report: Report = lambda _: None, mod_wsgi: str = "6.1.1") -> Runtime:
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
    report: Report,
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


# Prints where a script has a syntax error, or nothing. Runs on Python 2.7 too.
CHECK_SYNTAX = """
import sys
path = sys.argv[1]
try:
    compile(open(path, "rb").read(), path, "exec")
except (SyntaxError, ValueError) as error:
    print("%s:%s: %s" % (path, getattr(error, "lineno", "?"), error.args[0]))
"""
# Prints the marshalled code objects of source files, by name, in base 64. Runs on Python 2.7 too.
COMPILE = """
import base64, json, marshal, os, sys
found = {}
for path in sys.argv[1:]:
    with open(path, "rb") as stream:
        code = marshal.dumps(compile(stream.read(), path, "exec"))
    found[os.path.basename(path)[:-3]] = base64.b64encode(code).decode("ascii")
print(json.dumps(found))
"""


def check_syntax(runtime: Runtime, script: Path) -> None:
    """Compile a script with the runtime's own interpreter. Raises BadInput naming file and line."""
    done = subprocess.run(
        [runtime.python, "-c", CHECK_SYNTAX, script],
        capture_output=True,
        text=True,
        check=True,
        env=clean_environment(),
    )
    if done.stdout:
        raise BadInput(f"the script has a syntax error: {done.stdout.strip()}")


@functools.cache
def compiled_by(python: Path, sources: tuple[Path, ...]) -> dict[str, bytes]:
    """The marshalled code objects of these files, by name, made by an interpreter for itself."""
    command = [str(python), "-c", COMPILE, *map(str, sources)]
    try:
        done = subprocess.run(command, capture_output=True, check=True, env=clean_environment())
    except (OSError, subprocess.CalledProcessError) as error:
        raise InfrastructureError(f"{python} cannot compile {sources[0].parent}: {error}") from error
    return msgspec.json.decode(done.stdout, type=dict[str, bytes])
