"""Files and directories of a run: its user's alone, whatever the umask is."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from harness.errors import BadInput

# A name that is taken is chance, or somebody's trick; ten in a row are neither.
NAME_ATTEMPTS = 10


def opener(path: str, flags: int) -> int:
    """For `open`: a new file that its user alone may read, and never another file through a link."""
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


def make_new_directory(parent: Path, new_name: Callable[[], str]) -> Path:
    """A directory that nobody else has made, and that its user alone may enter. Raises OSError."""
    for _ in range(NAME_ATTEMPTS):
        directory = parent / new_name()
        with contextlib.suppress(FileExistsError):  # of another run, or of somebody who wants a say in this one
            directory.mkdir(mode=0o700)
            return directory
    raise FileExistsError(errno.EEXIST, "no name is free for a new run", str(parent))


def prepare_results(results: Path) -> None:
    """Make the directory of all runs, if it is missing. Raises BadInput: others could replace a run in it while it is
    written; OSError."""
    # Not with the mode that a lax umask gives: whoever may write here may replace a run by a link.
    results.mkdir(mode=0o755, parents=True, exist_ok=True)
    mode = results.stat().st_mode
    if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
        raise BadInput(
            f"{results}: every user of this machine may write there, and could replace what a run writes: "
            f"chmod o-w {results}, or choose another directory (--results)"
        )
