"""TODO."""

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

# What an interpreter says of itself. Runs on Python 2.7 too.
DESCRIBE = """
import json, os, re, sys, sysconfig
base = getattr(sys, "base_prefix", None) or getattr(sys, "real_prefix", sys.prefix)
def version_of(name):
    try:
        return __import__(name).get_version()
    except Exception:
        return None
packages = sysconfig.get_path("purelib")
here = os.listdir(packages) if os.path.isdir(packages) else []
found = [re.match(r"([A-Za-z0-9_]+)-([0-9.]*[0-9])[.-]", name) for name in here]
print(json.dumps({
    "version": "%d.%d.%d" % sys.version_info[:3], "executable": sys.executable, "prefix": sys.prefix,
    "base": base, "include": sysconfig.get_path("include"), "library": sysconfig.get_config_var("LIBDIR") or "",
    "packages": packages, "installed": dict(m.groups() for m in found if m), "django": version_of("django"),
    "gil": not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""


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
    installed: dict[str, str] = {}
    """The version of each distribution among its packages."""

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
            f"Python {minor} ({found[0].executable}) has no headers, and mod_wsgi needs them: install python{minor}-dev"
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
