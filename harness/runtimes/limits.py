"""What a machine can run out of, by the error that says so: the limit's name, and how to raise it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from harness.errors import BadInput, HarnessError, InfrastructureError

_OPEN_FILES = "too many open files: raise the limit of open files (ulimit -n)"
_SPACE = "no space is left: make room on that disk (temporary files: TMPDIR; results: --results)"
_MEMORY = "out of memory: raise the limit of memory (ulimit -v), give the machine more, or use a smaller --parallel"
_TASKS = "no more processes or threads: raise the limit of processes (ulimit -u; containers: pids limit)"
_PORTS = "no local port is left: wait, or widen net.ipv4.ip_local_port_range"
_LOOPBACK = "127.0.0.1 cannot be reached: bring the loopback interface up (ip link set lo up)"
# What the machine or a limit of the user's denies. None of them is a property of a site.
SHORTAGES = {
    errno.EMFILE: _OPEN_FILES,
    errno.ENFILE: "too many open files on the whole machine: raise fs.file-max",
    errno.EAGAIN: _TASKS,
    errno.ENOMEM: _MEMORY,
    errno.ENOBUFS: _MEMORY,
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: "the disk quota is used up: make room, or choose another place (TMPDIR, --results)",
    errno.EFBIG: "a file may not grow further: raise the limit of file sizes (ulimit -f)",
    errno.EIO: "the disk or terminal does not work (input/output error)",
    errno.EADDRNOTAVAIL: _PORTS,
    errno.ENETUNREACH: _LOOPBACK,
    errno.ENETDOWN: _LOOPBACK,
}
_ERRNO = re.compile(r"\[Errno (\d+)\]")


def shortage(number: int | None) -> str:
    """What the machine ran out of, and what helps, as half a sentence; "" where this error says nothing of the kind."""
    return SHORTAGES.get(number or 0, "")


def shortage_in(text: str) -> str:
    """The same, of the text of an OSError (`[Errno 24] Too many open files`)."""
    shortages = (shortage(int(number)) for number in _ERRNO.findall(text[:1000]))
    return next(filter(None, shortages), "")


def write_error(path: Path | str, what: str, error: OSError, hint: str = "") -> HarnessError:
    """The error to raise where a file cannot be written; `what` is its subject.

    The place is wrong (BadInput), or the machine has run out of something (InfrastructureError).
    """
    if shortage(error.errno):
        return InfrastructureError(f"{path}: {what} cannot be written: {shortage(error.errno)}")
    reason = error.strerror or str(error)
    return BadInput(f"{path}: {what} cannot be written: {reason}{f' ({hint})' if hint else ''}")


def sentence_of(error: OSError) -> str:
    """An error of the system that nobody expected where it came from, as a sentence."""
    where = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    why = shortage(error.errno) or (error.strerror or str(error)).lower()
    return f"{where}: {why}" if where else why
