"""Where a site's files lie, judged by its script."""

from __future__ import annotations

import hashlib
from pathlib import Path


def site_directory(script: Path) -> Path:
    """The directory of a script's site: above `scripts/`; else that of manage.py, beside the script or above it; else
    the script's own."""
    near, above, *_ = script.parents
    if near.name == "scripts":
        return above
    return next((directory for directory in (near, above) if (directory / "manage.py").is_file()), near)


def project_directory(script: Path) -> Path:
    """The directory that holds manage.py: above the script, or beside its directory; else where it would be."""
    near, above, *further = script.resolve().parents
    for directory in (near, above, *further[:1]):
        if (directory / "manage.py").is_file():
            return directory
    for directory in (near, above):
        found = list(directory.glob("*/manage.py"))
        if len(found) == 1:
            return found[0].parent
    return above if near.name == "scripts" else near


def site_digest(site: Path) -> str:
    """A digest of the files of a site: the same while none of them changes."""
    digest = hashlib.sha256()
    for path in sorted(site.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(site)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
