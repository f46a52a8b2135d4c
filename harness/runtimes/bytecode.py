"""Where a server's processes keep the bytecode of what they import: a directory for each site, as its files are now.

The server's user writes there, and what it writes is run when it is imported: so no other site, and no other state of
this one, ever reads it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

# Reading so much takes a second or two. Above that a site is not told apart from others: it shares with nobody.
MAX_BYTES = 64 * 2**20
MAX_FILES = 20_000
# With Django in it a directory has some 10 MB. A day's edits must not fill the disk, and no run takes as long as that.
MOST_KEPT = 12
KEPT_SECONDS = 6 * 3600.0
_SOURCES = (".py", ".wsgi")


def bytecode_directory(root: Path, build: str, site: Path, user: str = "") -> Path:
    """The directory of a site's bytecode for one build of a runtime, which `user` (empty: this one) writes to. Those
    that have not been used for long are deleted."""
    directory = root / f"{build}-{_key(site)}"
    root.mkdir(mode=0o755, parents=True, exist_ok=True)
    if not directory.exists():
        _sweep(root)
    directory.mkdir(mode=0o700, exist_ok=True)
    if user:
        shutil.chown(directory, user)
    os.utime(directory)
    return directory


def _key(site: Path) -> str:
    """A digest of the sources of a site and of where they are; a number of its own where they are too many."""
    digest, size = hashlib.sha256(f"{site.resolve()}\0".encode()), 0
    for number, path in enumerate(_sources(site)):
        with contextlib.suppress(OSError):  # a file that cannot be read is not imported either
            content = path.read_bytes()
            digest.update(f"{path.relative_to(site)}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
            size += len(content)
        if number > MAX_FILES or size > MAX_BYTES:
            return secrets.token_hex(8)
    return digest.hexdigest()[:16]


def _sources(site: Path) -> Iterator[Path]:
    """The source files of a site, without hidden directories and virtual environments."""
    for place, directories, names in os.walk(site):
        directories[:] = sorted(
            name
            for name in directories
            if not name.startswith(".") and name != "node_modules" and not Path(place, name, "pyvenv.cfg").exists()
        )
        paths = (Path(place, name) for name in sorted(names) if name.endswith(_SOURCES))
        yield from (path for path in paths if path.is_file())


def _sweep(root: Path) -> None:
    """Delete the directories that have not been used for long, except the newest."""
    with contextlib.suppress(OSError):  # another run may be sweeping too
        times = {path: path.lstat().st_mtime for path in root.iterdir()}
        for path in sorted(times, key=times.__getitem__, reverse=True)[MOST_KEPT:]:
            if time.time() - times[path] > KEPT_SECONDS:
                shutil.rmtree(path, ignore_errors=True)
