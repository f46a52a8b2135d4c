"""Temporary directories of the harness: each says in its name whose it is, and none outlives its owner for long.

A directory is removed when its block ends; what an interruption has left, by `tidy` at the end of the command; what a
killed harness has left, by `sweep` at the start of the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness import proc
from harness.hosting import process_tree
from harness.records import ProcessId

PREFIX = "harness-"
# In memory, which is faster for the many small files of the snapshot lane.
MEMORY = "/dev/shm"
_NAME = re.compile(rf"{PREFIX}(?P<pid>[0-9a-z]+)-(?P<start>[0-9a-z]+)-(?P<system>[0-9a-f]{{6}})-\w+$")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_own: set[Path] = set()


def make_directory(inside: str | None = None) -> Path:
    """A temporary directory of this process's, which its user alone may enter."""
    process = proc.identify(os.getpid())
    assert process is not None
    # The name is short, because a Unix socket's path may have at most 107 bytes.
    prefix = f"{PREFIX}{_short(process.pid)}-{_short(process.start)}-{_system()}-"
    directory = Path(tempfile.mkdtemp(prefix=prefix, dir=inside))
    _own.add(directory)
    return directory


def remove(directory: Path) -> None:
    """Remove a directory that `make_directory` has made, with what is in it."""
    shutil.rmtree(directory, ignore_errors=True)
    _own.discard(directory)


def tidy() -> None:
    """End what this process has started and not ended, and remove its directories."""
    process_tree.end_all()
    for directory in list(_own):
        remove(directory)


def sweep() -> str:
    """Remove the directories of harnesses of this user that have been killed; a sentence of it, or "" for none."""
    count = sum(_swept(directory) for directory in _abandoned())
    if not count:
        return ""
    some = "a directory" if count == 1 else f"{count} directories"
    return f"{some} that a killed harness had left removed"


def _abandoned() -> Iterator[Path]:
    system = _system()
    for parent in dict.fromkeys((tempfile.gettempdir(), MEMORY)):
        with contextlib.suppress(OSError):
            for entry in os.scandir(parent):
                name = _NAME.match(entry.name)
                # Of another container that shares the directory nothing can be known.
                if name and name["system"] == system:
                    owner = ProcessId(int(name["pid"], 36), int(name["start"], 36))
                    if not proc.alive(owner):
                        yield Path(entry.path)


def _swept(directory: Path) -> bool:
    """Remove a directory, if it is one and this user's: no link is followed, here or in it. Was it removed?"""
    try:
        info = directory.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.geteuid():
        return False
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def _system() -> str:
    """Six digits for this boot of the machine and this namespace of pids."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    text = (boot.read_text() if boot.exists() else "") + str(Path("/proc/self/ns/pid").readlink())
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _short(number: int) -> str:
    """A number in base 36."""
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
