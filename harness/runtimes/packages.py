"""What a build needs, and what this system's package manager calls it.

Uses the standard library alone: `make demo` asks it before there is an environment."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path


@dataclass(frozen=True)
class PackageManager:
    """A family of systems: its installing command, and its packages by what needs them.

    `{minor}` in a name stands for Python's version with its dot (3.13), `{digits}` for that without (313)."""

    install: str
    names: Mapping[str, str]
    """Of: httpd, compiler, headers, venv, make, python."""


_MANAGERS = {
    "debian": PackageManager(
        "apt install",
        {
            "httpd": "apache2 apache2-dev",
            "compiler": "gcc libc6-dev",
            "headers": "python{minor}-dev",
            "venv": "python{minor}-venv",
            "make": "make",
            "python": "python3 python3-venv python3-dev",
            "expat": "libexpat1-dev",
        },
    ),
    "fedora": PackageManager(
        "dnf install",
        {
            "httpd": "httpd httpd-devel redhat-rpm-config",
            "compiler": "gcc",
            "headers": "python{minor}-devel",
            "venv": "python{minor}",
            "make": "make",
            "python": "python3 python3-devel",
            "expat": "expat-devel",
        },
    ),
    "suse": PackageManager(
        "zypper install",
        {
            "httpd": "apache2 apache2-devel",
            "compiler": "gcc",
            "headers": "python{digits}-devel",
            "venv": "python{digits}",
            "make": "make",
            "python": "python3 python3-devel",
            "expat": "libexpat-devel",
        },
    ),
    "arch": PackageManager(
        "pacman -S",
        {
            "httpd": "apache",
            "compiler": "gcc",
            "headers": "python",
            "venv": "python",
            "make": "make",
            "python": "python",
            "expat": "expat",
        },
    ),
    "alpine": PackageManager(
        "apk add",
        {
            "httpd": "apache2 apache2-dev",
            "compiler": "gcc musl-dev",
            "headers": "python3-dev",
            "venv": "python3",
            "make": "make",
            "python": "python3 python3-dev",
            "expat": "expat-dev",
        },
    ),
}
# What os-release's ID and ID_LIKE say of each family.
_FAMILIES = {
    "debian": "debian",
    "ubuntu": "debian",
    "fedora": "fedora",
    "rhel": "fedora",
    "centos": "fedora",
    "suse": "suse",
    "opensuse": "suse",
    "arch": "arch",
    "alpine": "alpine",
}


def _release() -> Mapping[str, str]:
    """os-release of this system; empty if it has none."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def system_name() -> str:
    """What this system calls itself: 'Debian GNU/Linux 13 (trixie)'."""
    release = _release()
    return release.get("PRETTY_NAME") or release.get("NAME") or platform.system() or "this system"


def _manager() -> PackageManager | None:
    """This system's; None if it is none that is known here."""
    release = _release()
    for name in [release.get("ID", ""), *release.get("ID_LIKE", "").split()]:
        family = _FAMILIES.get(name) or _FAMILIES.get(name.partition("-")[0])  # opensuse-leap, opensuse-tumbleweed
        if family:
            return _MANAGERS[family]
    return None


def install_command(*needs: str, minor: str = "3") -> str:
    """The command that installs what is needed here, or what other systems call it. `minor`: of Python, as 3.13."""
    manager = _manager()
    if manager is not None:
        return f"{manager.install} {_names(manager, needs, minor)}"
    debian, fedora = (f"{_names(_MANAGERS[name], needs, minor)} ({name.title()})" for name in ("debian", "fedora"))
    return f"your system's packages of the kind of {debian} or {fedora}"


def _names(manager: PackageManager, needs: tuple[str, ...], minor: str) -> str:
    names = [name for need in needs for name in manager.names[need].split()]
    return " ".join(dict.fromkeys(names)).format(minor=minor, digits=minor.replace(".", ""))


def find_compiler() -> str | None:
    """The C compiler: what $CC names, or the usual names on PATH."""
    named = os.environ.get("CC", "").split()
    # Not what lies in the working directory, were it on PATH.
    path = os.pathsep.join(entry for entry in os.environ.get("PATH", os.defpath).split(os.pathsep) if entry[:1] == "/")
    return next(filter(None, (shutil.which(name, path=path) for name in [*named[:1], "cc", "gcc"])), None)


def unsupported_system() -> str:
    """One sentence where no httpd can be hosted by this program at all; empty on Linux."""
    if sys.platform.startswith("linux") and Path("/proc/self/stat").exists():
        return ""
    here = "this Linux has no /proc mounted" if sys.platform.startswith("linux") else f"this is {system_name()}"
    debian = _MANAGERS["debian"]
    needed = _names(debian, ("httpd", "compiler", "make", "python"), "3")
    return (
        f"the local backend needs Linux with /proc, where it follows the server's processes, and {here}: "
        f"run the harness in a Linux container or virtual machine (in Debian's: {debian.install} {needed})"
    )


def missing_here(*wanted: str) -> str:
    """One sentence on all that this machine and the running interpreter lack for a first run; empty if nothing.

    `wanted`: only of these: venv, headers, compiler."""
    if not wanted and (sentence := unsupported_system()):
        return sentence
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    lacks = {
        "venv": "" if find_spec("ensurepip") and find_spec("venv") else f"venv of Python {minor}",
        "headers": "" if (Path(sysconfig.get_path("include")) / "Python.h").is_file() else f"headers of Python {minor}",
        "compiler": "" if find_compiler() else "a C compiler (cc or gcc)",
    }
    needs = tuple(need for need, what in lacks.items() if what and (not wanted or need in wanted))
    if not needs:
        return ""
    what = ", ".join(lacks[need] for need in needs)
    return f"missing on {system_name()}: {what}; get it by: {install_command(*needs, minor=minor)}"


if __name__ == "__main__":
    if sentence := missing_here(*sys.argv[1:]):
        sys.exit(print(sentence, file=sys.stderr) or 2)
