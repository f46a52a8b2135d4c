"""Finds a site's directories by its script, and digests its files."""

from __future__ import annotations

import hashlib
from pathlib import Path


def site_directory(script: Path) -> Path:
    """The site of a script: the parent of `scripts/`; else the directory of a manage.py beside or above the script;
    else the script's own."""
    near, above, *_ = script.parents
    if near.name == "scripts":
        return above
    return next((directory for directory in (near, above) if (directory / "manage.py").is_file()), near)


def project_directory(script: Path) -> Path:
    """The directory of manage.py: above the script, or beside its directory; else where it would be expected."""
    near, above, *further = script.resolve().parents
    for directory in (near, above, *further[:1]):
        if (directory / "manage.py").is_file():
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
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(site)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
