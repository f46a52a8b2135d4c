"""Files that somebody else wrote, read within limits of kind, size and depth. Nothing in them is trusted.

Every file that a user names, and every file of a stored run, is read by these functions: a pipe does not hang the
harness, a device or a link to one does not fill its memory, and whatever is wrong becomes one sentence.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from harness.errors import BadInput, quoted, shortened

# A scenario of 64 requests with bodies has 20 kB. tomllib reads 100 kB a second.
MAX_TEXT = 128 * 2**10
# A script with its whole site in it, as small sites have it.
MAX_SCRIPT = 4 * 2**20
# The result of a run of a thousand cases has 10 MB, bench.json of the longest run 30 MB.
MAX_RECORD = 64 * 2**20
# A trial of 200 requests, with the stacks and spans of 16 processes, has a few MB; a body of 8 MiB has six times that
# where each of its characters is escaped.
MAX_LINE = 64 * 2**20

_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}

T = TypeVar("T")


def shown(path: Path | str) -> str:
    """A path as a message shows it."""
    return shortened(str(path), 300)  # longer than any that is typed; a name has at most 255 bytes


def is_file(path: Path) -> bool:
    """Is it a regular file, or a link to one? Unlike Path.is_file it never raises."""
    return stat.S_ISREG(_mode(path))


def is_directory(path: Path) -> bool:
    """Is it a directory, or a link to one? Unlike Path.is_dir it never raises."""
    return stat.S_ISDIR(_mode(path))


def _mode(path: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        return path.stat().st_mode
    return 0


def entries(directory: Path) -> list[Path]:
    """What is in a directory, by name; nothing where it cannot be read."""
    try:
        return sorted(directory.iterdir())
    except (OSError, ValueError):
        return []


def check_file(path: Path, most: int | None = None, what: str = "file") -> None:
    """Raises BadInput: it is no regular file that can be read, or has more than `most` bytes."""
    descriptor = _open(path, what)
    try:
        size = os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)
    if most is not None and size > most:
        raise _too_large(path, most)


def read_bytes(path: Path, most: int = MAX_RECORD, what: str = "file") -> bytes:
    """The contents of a regular file. Raises BadInput: it is none, cannot be read, or has more than `most` bytes."""
    descriptor = _open(path, what)
    parts, length = [], 0
    try:
        while part := os.read(descriptor, min(most + 1 - length, 2**20)):
            parts.append(part)
            length += len(part)
            if length > most:
                raise _too_large(path, most)
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    return b"".join(parts)


def read_text(path: Path, most: int = MAX_TEXT, what: str = "file") -> str:
    """The text of a file in UTF-8, with or without a mark at its begin. Raises BadInput: as `read_bytes`, or it is not
    such text."""
    content = read_bytes(path, most, what)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{shown(path)}: cannot be read: line {line} is not utf-8 text (byte 0x{content[error.start]:02x}): "
            f"save the file as UTF-8"
        ) from None


def lines(path: Path, most: int = MAX_LINE) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, numbered, without those that a kill cut short. Raises BadInput: as `read_bytes`, for a line
    of more than `most` bytes."""
    with open(_open(path, "file"), "rb") as stream:
        number = 0
        while True:
            number += 1
            try:
                line = stream.readline(most + 1)
            except OSError as error:
                raise BadInput(f"{shown(path)}: cannot be read: {error.strerror}") from None
            if len(line) > most:
                raise BadInput(f"{shown(path)}:{number}: a line of more than {most // 2**20} MiB: the file is damaged")
            if not line.endswith(b"\n"):
                return
            yield number, line


def decode(decoder: msgspec.json.Decoder[T], content: bytes, name: str, what: str) -> T:
    """JSON as a record. Raises BadInput, which calls the file `name`, and says that it is not `what`."""
    try:
        return decoder.decode(content)
    except RecursionError:
        why = "it is nested too deeply"
    except (msgspec.MsgspecError, ValueError, OverflowError) as error:
        why = shortened(str(error), 300)
    raise BadInput(f"{name}: not {what}: {why}")


def _open(path: Path, what: str) -> int:
    """The descriptor of a regular file. Raises BadInput."""
    try:
        _check_kind(path, path.stat().st_mode, what)  # before it is opened: that alone does something to a device
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError:
        raise BadInput(
            f"{quoted(str(path))}: no name of a file: it has a NUL or another impossible character"
        ) from None
    except OSError as error:
        raise BadInput(f"{shown(path)}: cannot be read: {error.strerror}") from None
    try:
        _check_kind(path, os.fstat(descriptor).st_mode, what)
    except BadInput:
        os.close(descriptor)
        raise
    return descriptor


def _check_kind(path: Path, mode: int, what: str) -> None:
    if not stat.S_ISREG(mode):
        kind = _KINDS.get(stat.S_IFMT(mode), "no regular file")
        raise BadInput(f"{shown(path)}: cannot be read: it is {kind}; expected a {what}")


def _too_large(path: Path, most: int) -> BadInput:
    return BadInput(f"{shown(path)}: larger than {most // 2**10} KiB, which is more than such a file can need")
