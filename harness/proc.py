"""Processes as the kernel shows them: identity, CPU time, children; users, and which directories they can enter."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import re
import shutil
import stat
from pathlib import Path

from harness.errors import InfrastructureError
from harness.records import ProcessId

TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def _stat_fields(pid: int) -> list[str] | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):  # not OSError: "too many open files" says nothing of the process
        return None
    # The command name, field 2, may hold spaces and parentheses: count from its last one (proc(5)).
    return text.rpartition(")")[2].split()


def identify(pid: int) -> ProcessId | None:
    """The identity of a live process; None when it is gone or a zombie."""
    fields = _stat_fields(pid)
    if fields is None or fields[0] in "ZX":
        return None
    return ProcessId(pid, int(fields[19]))


def alive(process: ProcessId) -> bool:
    return identify(process.pid) == process


def cpu_seconds(process: ProcessId) -> float | None:
    """User and system CPU time so far, in seconds (resolution: one tick, usually 10 ms)."""
    fields = _stat_fields(process.pid)
    if fields is None or int(fields[19]) != process.start:
        return None
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


def resident_mib(process: ProcessId) -> float | None:
    """Resident memory, in MiB (VmRSS: includes pages shared with other processes)."""
    fields = _stat_fields(process.pid)
    if fields is None or int(fields[19]) != process.start:
        return None
    return int(fields[21]) * PAGE_BYTES / 2**20


def namespace_pid(pid: int) -> int | None:
    """The pid by which a process knows itself: another one in a container (NSpid, Linux 4.1 or newer)."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    match = re.search(r"^NSpid:.*\b(\d+)$", text, re.MULTILINE)
    return int(match[1]) if match else None


def children(pid: int) -> list[int]:
    """Live children of a process, from whichever of its threads forked them."""
    pids: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return pids


def title(pid: int) -> str:
    """The first word of a process's command line: what `display-name` sets."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0].decode(errors="replace").strip()
    except OSError:
        return ""


def barred_directory(path: Path, user: str, *, readable: bool = True) -> Path | None:
    """The first directory on the way to `path` that `user` cannot enter, or `path` itself if it cannot be read.

    Only permission bits are looked at, not access control lists.
    """
    entry = pwd.getpwnam(user)
    groups = set(os.getgrouplist(user, entry.pw_gid))

    def allowed(place: Path, bit: int) -> bool:
        info = place.stat()
        if info.st_uid == entry.pw_uid:
            return bool(info.st_mode & (bit << 6))
        if info.st_gid in groups:
            return bool(info.st_mode & (bit << 3))
        return bool(info.st_mode & bit)

    path = path.absolute()
    seen: set[Path] = set()
    for place in (path, path.resolve()):
        for parent in reversed(place.parents):
            if parent not in seen and not allowed(parent, stat.S_IXOTH):
                return parent
            seen.add(parent)
    needed = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
    if readable and not all(allowed(path, bit) for bit in (stat.S_IROTH, needed & stat.S_IXOTH) if bit):
        return path
    return None


def server_user() -> tuple[str, str]:
    """The user and group that a server drops to when root starts it; both empty for any other user.

    Raises InfrastructureError: this is root, on a machine without any of the usual unprivileged users.
    """
    if os.geteuid() != 0:
        return "", ""
    for name in ("www-data", "apache", "daemon", "nobody"):
        with contextlib.suppress(KeyError):
            return name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name
    raise InfrastructureError("run as root, but there is no unprivileged user www-data, apache, daemon or nobody")


def server_uid() -> int:
    """The number of the user that runs a site's code. Raises InfrastructureError."""
    user, _ = server_user()
    return pwd.getpwnam(user).pw_uid if user else os.geteuid()


def search_path() -> str:
    """PATH without its entries that depend on the working directory, where anybody's programs may lie."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(entry for entry in entries if entry.startswith("/"))


def program(name: str) -> str | None:
    """The program of that name on PATH; None if there is none."""
    return shutil.which(name, path=search_path())
