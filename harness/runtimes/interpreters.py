"""Interpreters of this machine: where they are, and what each says of itself."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness import proc
from harness.errors import MissingRuntime
from harness.runtimes.packages import install_command

# Prints what an interpreter says of itself. Runs on Python 2.7 too.
DESCRIBE = """
import json, os, re, sys, sysconfig
base = getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", sys.prefix)
def version_of(name):
    try:
        return __import__(name).get_version()
    except Exception:
        return None
def has(name):
    try:
        return bool(__import__(name))
    except Exception:
        return False
packages = sysconfig.get_path("purelib")
names = os.listdir(packages) if os.path.isdir(packages) else []
matches = [re.match(r"([A-Za-z0-9_]+)-([0-9.]*[0-9])[.-]", name) for name in names]
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable, "prefix": sys.prefix,
    "base": base, "include": sysconfig.get_path("include"), "library": sysconfig.get_config_var("LIBDIR") or "",
    "packages": packages, "installed": dict(m.groups() for m in matches if m), "django": version_of("django"),
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"), "venv": has("venv") and has("ensurepip"),
}))
"""
# Starting an interpreter and importing its Django takes a second or two; a busy machine needs far longer.
DESCRIBE_SECONDS = 60


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
    has_venv: bool = msgspec.field(name="venv", default=True)
    """Can it make environments? Debian has what that takes in a package of its own."""
    django: str | None = None
    installed: dict[str, str] = {}
    """The version of each installed distribution, by name."""

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


@functools.cache
def describe(executable: str) -> Interpreter | None:
    """What an interpreter says of itself; None if it does not run."""
    command = [executable, "-c", DESCRIBE]
    try:
        # In a neutral directory: a django/ in the current one is not this interpreter's.
        done = subprocess.run(
            command, capture_output=True, timeout=DESCRIBE_SECONDS, check=True, cwd="/", env=clean_environment()
        )
        return msgspec.json.decode(done.stdout, type=Interpreter)
    except (OSError, subprocess.SubprocessError, msgspec.DecodeError):
        return None


def clean_environment() -> dict[str, str]:
    """This process's environment without the variables that would mislead another interpreter."""
    dropped = {"PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__", "DJANGO_SETTINGS_MODULE"}
    kept = {key: value for key, value in os.environ.items() if key not in dropped}
    return {**kept, "PATH": proc.search_path()}


def interpreters(minor: str | None = None) -> Iterator[Interpreter]:
    """Base interpreters of this machine, of one minor version or all: on PATH, then of pyenv, then of uv."""
    seen: set[tuple[str, str]] = set()
    for path in _candidates(minor):
        interpreter = describe(str(path))
        if interpreter is None or minor not in (None, interpreter.minor) or interpreter.prefix != interpreter.base:
            continue
        key = (interpreter.version, os.path.realpath(interpreter.base))
        if key not in seen:
            seen.add(key)
            yield interpreter


def _candidates(minor: str | None) -> Iterator[Path]:
    name = re.compile("python" + (re.escape(minor) if minor else "[23][.][0-9]+") + "t?$")
    for directory in [*proc.search_path().split(os.pathsep), "/usr/bin", "/usr/local/bin"]:
        with contextlib.suppress(OSError):
            yield from sorted(path for path in Path(directory).iterdir() if name.match(path.name))
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local/share/uv/python")
    for root, pattern in ((pyenv, f"{minor or ''}*"), (uv, f"cpython-{minor or ''}*")):
        with contextlib.suppress(OSError):  # $PYENV_ROOT may belong to another user
            yield from sorted(root.glob(f"{pattern}/bin/python"), reverse=True)


def find_interpreter(minor: str) -> Interpreter:
    """The interpreter for a runtime, preferably one that the server's user can reach without a copy. Raises
    MissingRuntime: there is none, or none with headers; the message says how to get it."""
    present = list(interpreters(minor))
    usable = [interpreter for interpreter in present if interpreter.has_headers]
    if not present:
        uv = "" if minor.startswith("2.") else f"`uv python install {minor}`, "  # uv has no Python 2
        raise MissingRuntime(
            f"Python {minor} is not on this machine (looked on PATH, in pyenv and uv): "
            f"{uv}`pyenv install {minor}`, or your system's python{minor} and its -dev package"
        )
    if not usable:
        raise MissingRuntime(
            f"Python {minor} ({present[0].executable}) has no headers, which mod_wsgi needs: "
            f"{install_command('headers', minor=minor)}"
        )
    return next((interpreter for interpreter in usable if not barring_directory(interpreter)), usable[0])


def find_first(minors: Sequence[str]) -> Interpreter:
    """The interpreter of the first of these versions that this machine has. Raises MissingRuntime: it has none."""
    missing = []
    for minor in minors:
        try:
            return find_interpreter(minor)
        except MissingRuntime as error:
            missing.append(error)
    others = f" (nor is Python {', '.join(minors[1:])})" if minors[1:] else ""
    raise MissingRuntime(f"{missing[0]}{others}")


def barring_directory(interpreter: Interpreter) -> Path | None:
    """The directory that keeps the server's user from this interpreter; None if it can be reached."""
    user, _ = proc.server_user()
    return proc.barred_directory(Path(interpreter.base) / "lib", user) if user else None
