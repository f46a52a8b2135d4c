"""Programs that end with all that they have started, however the harness ends; keeper.py is the other end."""

from __future__ import annotations

import contextlib
import marshal
import os
import pwd
import resource
import signal
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from harness import proc
from harness.errors import InfrastructureError
from harness.hosting.keeper import GRACE, KILL_SECONDS, STOP_SECONDS
from harness.records import LeftProcess, ProcessId

KEEPER = Path(__file__).with_name("keeper.py")
# For the keeper to answer an order: it does so in milliseconds, on a machine with nothing to spare in seconds.
ANSWER_SECONDS = 30.0
# Beyond what the keeper itself allows for an end.
SPARE_SECONDS = 5.0
# The resource limit that marks a process of the site and what it starts: for locks, which Linux has not heeded since
# 2.4 (getrlimit(2)), but every process inherits. Only its lower value is set, to the pid of the process.
MARK = 10


class TreeProcess:
    """A program that was started."""

    def __init__(self, tree: ProcessTree, number: int, process: ProcessId) -> None:
        self._tree = tree
        self._number = number
        self.process = process
        self.pid = process.pid

    def exit_code(self) -> int | None:
        """None as long as it runs; negative: the signal that ended it. Raises InfrastructureError: the keeper ended."""
        return self._tree.exit_code(self._number)

    def stop(self) -> None:
        """End it with its children, and wait for that."""
        self._tree.stop(self._number)

    def wait(self, seconds: float) -> bool:
        """Has it ended, or does it within that time?"""
        return self._tree.wait(self._number, seconds)


class ProcessTree:
    """Programs, and all that they start. A context manager; `start`, `stop` and `exit_code` are thread-safe."""

    def __init__(self, stdin: int = subprocess.DEVNULL, stdout: int = subprocess.DEVNULL) -> None:
        """`stdin`, `stdout`: of the program that is started `piped`; as those of subprocess.Popen."""
        self._pipes = stdin, stdout
        self._changed = threading.Condition()
        self._sending = threading.Lock()
        self._next = 0
        self._started: dict[int, ProcessId | str] = {}
        self._ended: dict[int, int] = {}
        self._gone = False
        self.left: tuple[LeftProcess, ...] = ()
        """What processes of the site had left behind; known once the tree has been left."""

    def __enter__(self) -> Self:
        ours, theirs = socket.socketpair()
        stdin, stdout = self._pipes
        with theirs:
            self.keeper = subprocess.Popen(
                [sys.executable, "-I", "-S", KEEPER, str(theirs.fileno())],
                cwd="/",
                stdin=stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C is ours to handle
            )
        self._socket = ours
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        _open.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        """May be called again, where an interruption has met the first call."""
        if self not in _open:
            return
        self._send("finish")
        try:
            self.keeper.wait(STOP_SECONDS + GRACE + KILL_SECONDS + SPARE_SECONDS)
        except subprocess.TimeoutExpired:
            self.keeper.kill()
            self.keeper.wait()
        for process in self._started.values():  # only if the keeper was killed
            if isinstance(process, ProcessId) and proc.alive(process):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
        self._reader.join(SPARE_SECONDS)
        self._socket.close()
        assert self.keeper.stderr is not None
        self.keeper.stderr.close()
        _open.discard(self)

    def start(
        self,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str],
        *,
        directory: str | Path = "/",
        piped: bool = False,
        user: str = "",
    ) -> TreeProcess:
        """Start a program as the leader of a session; `log` gets its output, with `piped` only its errors. Raises
        InfrastructureError: it cannot be started."""
        with self._changed:
            number, self._next = self._next, self._next + 1
        ids = (pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid) if user else None
        words = [os.fspath(word) for word in command]
        self._send("start", number, words, os.fspath(directory), dict(environment), os.fspath(log), piped, ids)
        with self._changed:
            if not self._changed.wait_for(lambda: number in self._started or self._gone, ANSWER_SECONDS):
                raise InfrastructureError(f"{words[0]} was not started within {ANSWER_SECONDS:.0f} s: a busy machine?")
            process = self._started.get(number, self._last_words())
        if isinstance(process, str):
            raise InfrastructureError(f"{words[0]} cannot be started: {process}")
        return TreeProcess(self, number, process)

    def stop(self, number: int) -> None:
        """End a program with its children."""
        self._send("stop", number)
        self.wait(number, STOP_SECONDS + SPARE_SECONDS)

    def wait(self, number: int, seconds: float) -> bool:
        """Has a program ended, or does it within that time?"""
        with self._changed:
            return self._changed.wait_for(lambda: number in self._ended or self._gone, seconds)

    def exit_code(self, number: int) -> int | None:
        """As that of a TreeProcess."""
        code = self._ended.get(number)
        if code is None and self._gone:
            raise InfrastructureError(f"what keeps the server's processes has ended: {self._last_words()}")
        return code

    def _send(self, *order: Any) -> None:
        text = marshal.dumps(order)
        with contextlib.suppress(OSError), self._sending:  # the keeper has ended: whoever waits hears of it
            self._socket.sendall(struct.pack("!I", len(text)) + text)

    def _read(self) -> None:
        with contextlib.suppress(OSError, EOFError, ValueError), self._socket.makefile("rb") as stream:
            while head := stream.read(4):
                name, *rest = marshal.loads(stream.read(struct.unpack("!I", head)[0]))
                with self._changed:
                    self._receive(name, *rest)
                    self._changed.notify_all()
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _receive(self, name: str, *rest: Any) -> None:
        if name == "started":
            self._started[rest[0]] = ProcessId(*rest[1:])
        elif name == "failed":
            self._started[rest[0]] = rest[1]
        elif name == "ended":
            self._ended[rest[0]] = rest[1]
        elif name == "left":
            self.left = tuple(LeftProcess(of=of, command=_shown(command)) for of, command in rest[0])

    def _last_words(self) -> str:
        """Of a keeper that has ended."""
        if not self._gone or self.keeper.stderr is None or self.keeper.stderr.closed:
            return ""
        lines = self.keeper.stderr.read().decode(errors="replace").splitlines()
        return lines[-1] if lines else "it was killed"


_open: set[ProcessTree] = set()


def end_all() -> None:
    """End every tree that is still open: an interruption may have met the very end of its block."""
    for tree in list(_open):
        tree.__exit__()


def mark(process: ProcessId) -> None:
    """Mark a process of the site, so that it is known what it has started; see MARK."""
    with contextlib.suppress(OSError, ValueError):
        _, hard = resource.prlimit(process.pid, MARK)
        resource.prlimit(process.pid, MARK, (process.pid, hard))


def _shown(command: bytes) -> str:
    """Two words of a command line. The second may hold a secret if it is an option with its value."""
    words = command.decode("utf-8", "replace").split()
    if not words:
        return "(unknown)"
    if len(words) == 1:
        return words[0]
    second = "…" if words[1].startswith("-") and len(words[1]) > 2 else words[1]
    return f"{words[0]} {second}" + (" …" if len(words) > 2 and second != "…" else "")
