"""Finds a site's directories by its script, and digests its files."""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.cases.reading import is_file, read_bytes
from harness.errors import BadInput

# What a site consists of; a site writes others (a database, logs) while it runs.
_SOURCES = (".py", ".wsgi", ".html", ".toml", ".ini", ".cfg", ".yaml", ".yml", ".mo", ".po")
# Directories of others' files.
_NOT_THE_SITES = ("__pycache__", "node_modules", "site-packages")
# A script may lie in a directory that is no site but a disk: so many files are looked at, of so many bytes at most.
_MOST_SOURCES = 5000
_MOST_BYTES = 1_000_000
# Code, templates and fixtures are smaller; of a larger one its size and date are digested.
MAX_DIGESTED = 16 * 2**20


def site_directory(script: Path) -> Path:
    """The site of a script: the parent of `scripts/`; else the directory of a manage.py beside or above the script;
    else the script's own."""
    near, above, *_ = *script.parents, script.parent
    if near.name == "scripts":
        return above
    return next((directory for directory in (near, above) if is_file(directory / "manage.py")), near)


def project_directory(script: Path) -> Path:
    """The directory of manage.py: above the script, or beside its directory; else where it would be expected."""
    resolved = script.resolve()
    near, above, *further = *resolved.parents, resolved.parent
    for directory in (near, above, *further[:1]):
        if is_file(directory / "manage.py"):
            return directory
    for directory in (near, above):
        projects = list(directory.glob("*/manage.py"))
        if len(projects) == 1:
            return projects[0].parent
    return above if near.name == "scripts" else near


def site_digest(site: Path) -> str:
    """A digest of a site's files, which changes when one of them does."""
    digest = hashlib.sha256()
    for path in sorted(site.rglob("*")):
        if is_file(path) and path.suffix != ".pyc":
            digest.update(os.fsencode(path.relative_to(site)) + b"\0" + _contents(path) + b"\0")
    return digest.hexdigest()[:16]


def source_digests(cases: Sequence[Case]) -> dict[str, str]:
    """A digest of each source file of the cases' sites, of their scripts and of the directives they include, by path.
    Of a very large directory the first files only."""
    paths: dict[Path, None] = {}
    for case in cases:
        paths.update(dict.fromkeys([case.script_path, *([Path(case.apache_conf)] if case.apache_conf else [])]))
    for site in dict.fromkeys(case.site_dir for case in cases):
        for number, path in enumerate(_sources(site)):
            if number == _MOST_SOURCES:
                break
            paths[path] = None
    return {str(path): _digest(path) for path in paths}


def changed_files(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """The paths whose digests differ, each with what became of it."""
    came = [f"{path} (new)" for path in now if path not in before]
    went = [f"{path} (gone)" for path in before if path not in now]
    return sorted([path for path in before if path in now and before[path] != now[path]] + came + went)


def _sources(site: Path) -> Iterator[Path]:
    for directory, below, names in os.walk(site):
        below[:] = sorted(
            name
            for name in below
            if name not in _NOT_THE_SITES
            and not name.startswith(".")
            and not Path(directory, name, "pyvenv.cfg").exists()
        )
        for name in sorted(names):
            path = Path(directory, name)
            if path.suffix in _SOURCES and is_file(path):
                yield path


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return hashlib.sha256(stream.read(_MOST_BYTES)).hexdigest()[:16]
    except OSError:
        return ""


def _contents(path: Path) -> bytes:
    """What of a file enters the digest: all of it, or what is known of one that is large or cannot be read."""
    try:
        return read_bytes(path, MAX_DIGESTED)
    except BadInput:
        with contextlib.suppress(OSError):
            status = path.stat()
            return f"{status.st_size} {status.st_mtime_ns}".encode()
        return b""
