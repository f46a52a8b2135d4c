"""Directories and files that the server's user writes. That user runs the site's code: what it writes is hostile input.

A run's directory is closed to other users of the machine. A file in it that a site may have replaced is opened without
following links and without blocking, and used only if its type, owner and size are what they should be.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import proc
from harness.errors import InfrastructureError
from harness.hosting.capacity import temporary_directory
from harness.hosting.leftovers import make_directory
from harness.runtimes.limits import shortage, write_error

# A recording of the probe has 8 MiB, an answer of a process some hundred KiB.
MAX_BYTES = 64 * 2**20
_SAFELY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def make_private_directory(inside: str | None = None) -> Path:
    """A temporary directory that its user alone may enter; and the server's group, where that is another user. Raises
    BadInput, InfrastructureError: it cannot be made; the disk is full."""
    parent = inside or str(temporary_directory())
    try:
        return let_server_in(make_directory(parent))
    except OSError as error:
        raise write_error(Path(parent), "the directory", error, "TMPDIR") from error


def let_server_in(directory: Path) -> Path:
    """Let the server's group pass through a private directory, where the server runs as another user."""
    _, group = proc.server_user()
    if group:
        shutil.chown(directory, group=group)
        directory.chmod(0o710)
    return directory


def make_events_directory(directory: Path) -> None:
    """The one place in a server's directory that the server's user may write to, and no other user may enter."""
    if not directory.exists():
        directory.mkdir()
        directory.chmod(0o755)  # whatever the umask is: who may enter is decided above it
    events = directory / "events"
    events.mkdir()
    events.chmod(0o700)
    user, _ = proc.server_user()
    if user:
        shutil.chown(events, user)


def let_server_read(*files: Path) -> None:
    """Let the server's user read files of ours, whatever the umask is; the directory around them is closed."""
    for path in files:
        path.chmod(0o644)


@contextlib.contextmanager
def opened(path: Path, owner: int | None) -> Iterator[int | None]:
    """The descriptor of a regular file of this owner (None: of anybody), to be read; None if it is none such.

    Raises FileNotFoundError.
    """
    try:
        descriptor = _open(path, os.O_RDONLY, stat.S_ISREG, owner)
    except FileNotFoundError:
        raise
    except OSError as error:  # a link, or something that cannot be read
        if why := shortage(error.errno):
            raise InfrastructureError(f"{path}: cannot be read: {why}") from error
        descriptor = None
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def read(path: Path, owner: int | None) -> bytes | None:
    """The contents of a regular file of this owner; None if it is none such. Raises FileNotFoundError."""
    with opened(path, owner) as descriptor:
        if descriptor is None:
            return None
        with open(descriptor, "rb", closefd=False) as stream:
            return stream.read(MAX_BYTES)


def remove(path: Path) -> None:
    """Delete what lies there, if anything does: a file, a link (not what it leads to), or a directory."""
    try:
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError:
        shutil.rmtree(path, ignore_errors=True)


def open_pipe(path: Path, owner: int | None) -> int | None:
    """The descriptor of a named pipe of this owner, to be written to; None if it is none such.

    Raises OSError: ENXIO if nobody reads it, ENOENT if it is not there, ELOOP if it is a link.
    """
    return _open(path, os.O_WRONLY, stat.S_ISFIFO, owner)


def _open(path: Path, flags: int, is_kind: Callable[[int], bool], owner: int | None) -> int | None:
    """Raises OSError: ELOOP if it is a link."""
    descriptor = os.open(path, flags | _SAFELY)
    info = os.fstat(descriptor)
    if is_kind(info.st_mode) and owner in (None, info.st_uid) and info.st_size <= MAX_BYTES:
        return descriptor
    os.close(descriptor)
    return None
