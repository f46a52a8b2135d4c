"""The httpd that this machine has installed: where it is looked for, what is there, and what is missing for it."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness import proc
from harness.errors import MissingRuntime
from harness.runtimes.packages import install_command, system_name

# The program that tells how the installed httpd was built: Debian, Fedora, Arch and Alpine have the first name,
# openSUSE and old Debians the second.
APXS_NAMES = ("apxs", "apxs2")
# httpd by itself builds nothing, but its presence says which package is missing.
HTTPD_NAMES = ("httpd", "apache2", "httpd-event", "httpd-worker", "httpd-prefork")
CONTROL_NAMES = ("apachectl", "apache2ctl")
# An ordinary user's PATH lacks some of these; the last two are where httpd installs itself from its source.
PLACES = ("/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/usr/local/apache2/bin", "/opt/apache2/bin")
# apxs is a script of a few lines; more than this is a machine that stands still.
QUERY_SECONDS = 30


@dataclass(frozen=True)
class InstalledHttpd:
    """An httpd that mod_wsgi can be built for."""

    apxs: Path
    program: Path
    modules: Path


@dataclass(frozen=True)
class Search:
    """A search of this machine for an httpd."""

    httpd: InstalledHttpd | None
    seen: str
    """What was looked for, and where each is: `apxs: /usr/bin/apxs, httpd: /usr/sbin/apache2, …`."""
    lack: str = ""
    """Why there is no usable httpd."""

    @property
    def remedy(self) -> str:
        """The command that installs what is missing; empty if nothing is."""
        return "" if self.httpd else install_command("httpd")


def installed_httpd() -> Search:
    """The httpd to use, if this machine has one with its apxs.

    $APXS names another apxs; set but empty, it asks for the httpd that mod_wsgi-standalone builds. Raises
    MissingRuntime: the apxs that $APXS names cannot be used."""
    return _search(os.environ.get("APXS"), proc.search_path())


@functools.cache
def _search(named: str | None, path: str) -> Search:
    if named:
        if not os.access(named, os.X_OK) or not Path(named).is_file():
            raise MissingRuntime(f"APXS={named}: no such program; {install_command('httpd')}, or unset APXS")
        httpd, lack = _ask(Path(named).absolute())
        if httpd is None:
            raise MissingRuntime(f"APXS={named}: {lack}; correct or unset APXS")
        return Search(httpd, f"apxs: {named}, httpd: {httpd.program}")
    if named is not None:
        return Search(None, "APXS is set but empty", "APXS is set but empty")
    places = dict.fromkeys([*filter(os.path.isabs, path.split(os.pathsep)), *PLACES])
    where = os.pathsep.join(places)
    lack = ""
    for tool in _present(APXS_NAMES, where):
        httpd, lack = _ask(tool)
        if httpd is not None:
            return Search(httpd, f"apxs: {tool}, httpd: {httpd.program}")
    seen = ", ".join(
        f"{names[0]}: {next(_present(names, where), None) or 'not found'}"
        for names in (HTTPD_NAMES, CONTROL_NAMES, APXS_NAMES)
    )
    return Search(None, f"{seen} (on PATH and in {', '.join(PLACES)})", lack or f"no apxs on {system_name()}")


def _present(names: tuple[str, ...], where: str) -> Iterator[Path]:
    return (Path(program) for name in names if (program := shutil.which(name, path=where)))


def _ask(tool: Path) -> tuple[InstalledHttpd | None, str]:
    """The httpd that this apxs belongs to; or None, and why not."""

    def query(key: str) -> str:
        done = subprocess.run(
            [tool, "-q", key], capture_output=True, text=True, check=True, timeout=QUERY_SECONDS, errors="replace"
        )
        return done.stdout.strip()

    try:
        binaries, name = Path(query("sbindir")), query("progname")
        modules, headers = Path(query("libexecdir")), Path(query("includedir"))
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stderr.split()) or f"exit code {error.returncode}"
        return None, f"{tool} does not work: {said}"
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"{tool} does not work: {error}"
    where = os.pathsep.join(map(str, (binaries, binaries.parent / "bin", tool.parent)))
    program = next(_present((name, *HTTPD_NAMES), where), None) if name else None
    if program is None:
        return None, f"{tool} is here without its httpd, {binaries / (name or 'httpd')}"
    if not any(modules.glob("mod_*.so")):
        return None, f"{tool} is here, but {modules} has no modules"
    if not (headers / "httpd.h").is_file():
        return None, f"{tool} is here, but {headers} has no httpd.h"
    return InstalledHttpd(tool, program, modules), ""
