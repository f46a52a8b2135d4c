"""Whether this machine and the limits of this user have room for a run: looked at before it starts.

Otherwise a limit of the harness's own would show up in the middle of a trial, as a fault of the site's.
"""

from __future__ import annotations

import errno
import os
import pwd
import resource
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.cases.case import Case
from harness.errors import InfrastructureError
from harness.runtimes.limits import shortage

# What each of the harness's processes opens beside connections (measured: 12 to 50), and as much again.
SPARE_FILES = 128
# Of one interpreter beside its request threads: main, monitors, the listener (measured: 5).
SPARE_THREADS = 8
# The harness itself, Locust and the server's own processes; measured 25.
OWN_TASKS = 40
# Recordings have 8 MiB, of which 1 MiB is written by 15 threads; a log of a failing site grows by some MiB.
FREE_BYTES = 64 * 2**20
# A thread's piece of a recording has 64 KiB, and a process without room for it is killed where it writes.
MIN_FREE = 2**20
# Histories take 10 to 50 KiB a trial.
FREE_RESULT_BYTES = 16 * 2**20
# A recording is made as large as it may become.
FILE_BYTES = 16 * 2**20
# A process of the server: its code and data, a stack for each thread, and glibc's arenas of 64 MiB, at most 8 a core.
BASE_BYTES = 256 * 2**20
STACK_BYTES = 8 * 2**20
ARENA_BYTES = 64 * 2**20
# An interpreter takes 0.1 to 1 s for a trial, the harness itself that much for a second of a run.
CPU_SECONDS = 600
# A loopback that works answers in microseconds.
LOOPBACK_SECONDS = 5.0


def check_room(results: Path, users: int) -> None:
    """For a run that sends up to `users` requests at a time. Raises InfrastructureError: a limit is too low, or the
    loopback interface is down; the message says which, and how to raise it."""
    check_loopback()
    check_limits(users)
    check_space(temporary_directory(), FREE_BYTES, "TMPDIR")
    check_space(results, FREE_RESULT_BYTES, "--results")


def check_limits(users: int = 1) -> None:
    """The limits of this process and of those that it starts. Raises InfrastructureError: one is too low."""
    # The load generator holds one end of each connection; the server's front end has it and its own to an interpreter.
    _check_limit(resource.RLIMIT_NOFILE, 2 * users + SPARE_FILES, "open files", "ulimit -n")
    _check_limit(resource.RLIMIT_FSIZE, FILE_BYTES, "file size", "ulimit -f", unit=1024)
    threads = min(users + SPARE_THREADS, 1000)
    arenas = min(threads, 8 * (os.cpu_count() or 1))
    memory = BASE_BYTES + threads * STACK_BYTES + arenas * ARENA_BYTES
    _check_limit(resource.RLIMIT_AS, memory, "memory", "ulimit -v", unit=1024)
    _check_limit(resource.RLIMIT_DATA, memory, "data", "ulimit -d", unit=1024)
    _check_limit(resource.RLIMIT_CPU, CPU_SECONDS, "CPU time", "ulimit -t")


def check_tasks(case: Case, slots: int, front_threads: int, user: str) -> None:
    """For the processes and threads of a case's servers, which run as `user` (empty: as this process). Raises
    InfrastructureError: too few may be made."""
    interpreters = slots * case.processes
    needed = interpreters * (case.threads + SPARE_THREADS) + front_threads + OWN_TASKS
    room = [limit for limit in (_cgroup_room(), _user_room(user, needed)) if limit is not None]
    if room and min(room) < needed:
        raise InfrastructureError(
            f"this run needs {needed} processes and threads at a time, and {max(0, min(room))} more can be made: raise "
            f"the limit of processes (ulimit -u; in a container its pids limit), or use a smaller --parallel"
        )


def _user_room(user: str, needed: int) -> int | None:
    soft, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    uid = pwd.getpwnam(user).pw_uid if user else os.getuid()
    # The limit counts what the user already has, but reading that costs a look at every process of the machine.
    if soft == resource.RLIM_INFINITY or uid == 0 or soft > 20 * needed:
        return None
    return soft - sum(_tasks_of(uid))


def _tasks_of(uid: int) -> Iterator[int]:
    """The number of threads of each process of a user."""
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                if directory.stat().st_uid == uid:
                    yield int((directory / "stat").read_text().rpartition(")")[2].split()[17])
            except (FileNotFoundError, ProcessLookupError):
                continue


def _cgroup_room() -> int | None:
    """How many more tasks the control group may have; None where it says nothing."""
    try:
        group = Path("/proc/self/cgroup").read_text().strip().rpartition(":")[2]
        directory = Path("/sys/fs/cgroup") / group.lstrip("/")
        most = (directory / "pids.max").read_text().strip()
        return None if most == "max" else int(most) - int((directory / "pids.current").read_text())
    except (OSError, ValueError):
        return None


def _check_limit(kind: int, needed: int, what: str, command: str, unit: int = 1) -> None:
    soft, _ = resource.getrlimit(kind)
    if soft != resource.RLIM_INFINITY and soft < needed:
        raise InfrastructureError(
            f"the limit of {what} is {soft // unit}, and this run needs {-(-needed // unit)}: raise it "
            f"({command} {-(-needed // unit)}), or use a smaller --parallel or fewer users"
        )


def temporary_directory() -> Path:
    """Where temporary files go. Raises InfrastructureError: nowhere."""
    try:
        return Path(tempfile.gettempdir())
    except OSError as error:
        raise InfrastructureError("there is no directory for temporary files: set TMPDIR to one") from error


def free_bytes(directory: Path) -> int | None:
    """The room on a directory's disk, for an ordinary user; None where the directory does not exist."""
    try:
        info = os.statvfs(directory)
    except OSError:
        return None
    return 0 if info.f_files and not info.f_favail else info.f_bavail * info.f_frsize


def disk_shortage(directory: Path) -> tuple[str, ...]:
    """What a server's processes, which write into this directory, have no room for: at most one sentence."""
    free = free_bytes(directory)
    if free is None or free >= MIN_FREE:
        return ()
    return (f"the disk of temporary files is full: {shortage(errno.ENOSPC)}",)


def check_space(directory: Path, needed: int, option: str) -> None:
    """Raises InfrastructureError: too little room on the disk of this directory (or of the nearest one above it)."""
    place = next((path for path in (directory, *directory.absolute().parents) if path.is_dir()), Path("/"))
    free = free_bytes(place)
    if free is not None and free < needed:
        raise InfrastructureError(
            f"{directory}: {free // 2**20} MiB are free there, and a run needs {needed // 2**20}: make room on that "
            f"disk, or choose another one ({option})"
        )


def check_loopback() -> None:
    """Raises InfrastructureError: a connection to 127.0.0.1 does not come about."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), LOOPBACK_SECONDS).close()
    except OSError as error:
        why = shortage(error.errno) or f"127.0.0.1 cannot be reached: {error.strerror or error}"
        raise InfrastructureError(f"nothing can be measured here: {why}") from error
