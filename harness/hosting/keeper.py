"""The program that starts servers, and ends whatever they and their sites have started.

    python -I -S keeper.py DESCRIPTOR

It is a child subreaper: what a site forks comes back to it, also what has daemonised. Orders arrive on a stream socket,
each a length and a marshalled tuple: ("start", number, command, directory, environment, log, piped, user), ("stop",
number) and ("finish",). Reports go back the same way: ("started", number, pid, start), ("failed", number, reason),
("ended", number, code) and ("left", [(pid of the site's process, command), ...]). When the socket is closed, because
the harness has ended, however it did, everything is ended.

A process of the site is marked by the harness (`MARK` in process_tree.py), and what it starts inherits the mark. So it
is known whose an orphan is: it is ended a while after that process, and told as left behind.

It imports little, for it starts with each host, and only the standard library, for `-I -S` finds nothing else.
"""

from __future__ import annotations

import ctypes
import marshal
import os
import select
import struct
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
# `import signal` takes longer than all else here together.
SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGPIPE, SIGTERM, SIGCONT, SIGSTOP, SIGXFSZ = 1, 2, 3, 9, 13, 15, 18, 19, 25
SIG_DFL, SIG_IGN = 0, 1
# How often it looks for orphans, in seconds: a look takes a fraction of a millisecond.
TICK = 0.25
# How often, while something is being ended.
BUSY_TICK = 0.005
# An orphan that ends by itself so soon after its process was not left behind: a helper whose pipe was closed needs
# milliseconds, on a busy machine more.
GRACE = 1.0
# For a server to end after SIGTERM: a fraction of a second, since its children are killed.
STOP_SECONDS = 10.0
# For what is killed to be gone. A process that forks again and again is quicker than a look, but not every time.
KILL_SECONDS = 10.0
# Of one command line: two words of it are shown.
COMMAND_BYTES = 200
# Of what was left: more is counted, not named.
MOST_LEFT = 5000


def children(pid: int) -> list[int]:
    """The children of a process, zombies among them."""
    pids: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children", "rb") as stream:
                pids += map(int, stream.read().split())
    except OSError:
        pass
    return pids


def stat(pid: int) -> tuple[int, int] | None:
    """The process group and the start time of a process; None if it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:
            fields = stream.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in b"ZX" else (int(fields[2]), int(fields[19]))


def command_of(pid: int) -> bytes:
    """The command line of a process; of one without, its name in brackets."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as stream:
            words = stream.read(COMMAND_BYTES).rstrip(b"\0").replace(b"\0", b" ")
        with open(f"/proc/{pid}/comm", "rb") as stream:
            return words or b"(" + stream.read().strip() + b")"
    except OSError:
        return b""


def mark_of(pid: int) -> int:
    """The pid that the harness has marked a process, or its ancestor, with; 0 if there is none."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as stream:
            line = next(line for line in stream if line.startswith(b"Max file locks"))
    except (OSError, StopIteration):
        return 0
    mark = line.split()[3]
    return int(mark) if mark.isdigit() else 0


def kill(pid: int, signal: int = SIGKILL) -> None:
    try:
        os.kill(pid, signal)
    except OSError:
        pass


class Leader:
    """A program that the harness has ordered, the leader of a session."""

    def __init__(self, number: int, pid: int) -> None:
        self.number, self.pid = number, pid
        self.deadline: float | None = None  # of its end, once it was asked for
        self.watch: int | None = None  # can be read once it has ended
        try:
            self.watch = os.pidfd_open(pid)
        except OSError:  # Linux before 5.3: the next look notices its end
            pass


class Orphan:
    """A process whose parent is gone, and which has come to the keeper."""

    def __init__(self, pid: int, start: int) -> None:
        self.pid, self.start = pid, start
        self.command, self.mark = command_of(pid), mark_of(pid)
        self.due: float | None = None  # since when nothing of the site needs it


class Keeper:
    """Servers, orphans, and the socket."""

    def __init__(self, descriptor: int) -> None:
        os.set_inheritable(descriptor, False)  # what it starts must not give it orders
        self._socket = descriptor
        self._poll = select.poll()
        self._poll.register(descriptor, select.POLLIN)
        self._libc = ctypes.CDLL(None)
        self._libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        for signal in (SIGHUP, SIGINT, SIGQUIT, SIGTERM):
            self._signal(signal, SIG_IGN)  # it ends with the harness
        self._servers: dict[int, Leader] = {}
        self._groups = {os.getpid()}  # of the servers and of the keeper, where more live than one orphan and its own
        self._orphans: dict[int, Orphan] = {}
        self._condemned: set[int] = set()
        self._left: list[tuple[int, bytes]] = []
        self._pid = os.getpid()

    def _signal(self, number: int, action: int) -> None:
        self._libc.signal(number, ctypes.c_void_p(action))

    # -- orders --------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Carry orders out until the harness wants no more, or has ended."""
        finished = ""
        while not finished:
            busy = self._condemned_live() or any(server.deadline for server in self._servers.values())
            ready = self._poll.poll(1000 * (BUSY_TICK if busy else TICK))
            if any(descriptor == self._socket for descriptor, _ in ready):
                finished = self._obey(self._receive())
            self._reap()
            self._hurry()
            self._look()
        self._finish(wanted=finished == "finish")

    def _receive(self) -> tuple[Any, ...]:
        head = self._read(4)
        body = self._read(struct.unpack("!I", head)[0]) if head else b""
        order: tuple[Any, ...] = marshal.loads(body) if body else ("closed",)
        return order

    def _read(self, size: int) -> bytes:
        text = b""
        while len(text) < size:
            try:
                piece = os.read(self._socket, size - len(text))
            except OSError:
                return b""
            if not piece:
                return b""
            text += piece
        return text

    def _report(self, *message: Any) -> None:
        body = marshal.dumps(message)
        text = struct.pack("!I", len(body)) + body
        try:
            while text:
                text = text[os.write(self._socket, text) :]
        except OSError:
            pass  # the harness has ended

    def _obey(self, order: tuple[Any, ...]) -> str:
        """Carry an order out. Returns what ends the service: "finish", or "closed"; otherwise ""."""
        name, *arguments = order
        if name == "start":
            self._start(*arguments)
        elif name == "stop" and arguments[0] in self._servers:
            self._stop(self._servers[arguments[0]])
        return name if name in ("finish", "closed") else ""

    def _start(self, number: int, *program: Any) -> None:
        reading, writing = os.pipe()
        pid = os.fork()
        if not pid:
            try:
                self._become(*program)
            except OSError as error:
                os.write(writing, f"{error.strerror}: {error.filename or program[0][0]}".encode())
            finally:
                os._exit(127)
        os.close(writing)
        reason = b""
        while piece := os.read(reading, 1000):
            reason += piece
        os.close(reading)
        if program[4]:  # piped: the program's input ends, and its output, when those do that know of it
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            os.close(nothing)
        if reason:
            os.waitpid(pid, 0)
            self._report("failed", number, reason.decode("utf-8", "replace"))
            return
        server = self._servers[number] = Leader(number, pid)
        self._groups.add(pid)
        if server.watch is not None:
            self._poll.register(server.watch, select.POLLIN)
        known = stat(pid)
        self._report("started", number, pid, known[1] if known else 0)

    def _become(
        self,
        command: list[str],
        directory: str,
        environment: dict[str, str],
        log: str,
        piped: bool,
        user: tuple[int, int] | None,
    ) -> None:
        """Become the program. Raises OSError."""
        os.setsid()  # a process group of its own, and no terminal's signals
        for signal in (SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGXFSZ):
            self._signal(signal, SIG_DFL)
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(descriptor, 2)
        if not piped:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(descriptor, 1)
        if user:
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])
        # Should the keeper itself be killed, the server ends, and its children with it. It would not outlast setuid.
        self._libc.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
        os.chdir(directory)
        os.execve(command[0], command, environment)

    def _stop(self, server: Leader) -> None:
        """Ask a server to end. Its children are killed: a hung interpreter would hold it up for seconds."""
        server.deadline = time.monotonic() + STOP_SECONDS
        kill(server.pid, SIGSTOP)  # so that it starts no more
        for pid in children(server.pid):
            kill(pid)
        kill(server.pid, SIGTERM)
        kill(server.pid, SIGCONT)

    # -- ends ----------------------------------------------------------------------------------------

    def _reap(self) -> None:
        """Take the ended ones off the kernel's hands."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._orphans.pop(pid, None)
            for server in [server for server in self._servers.values() if server.pid == pid]:
                del self._servers[server.number]
                if server.watch is not None:
                    self._poll.unregister(server.watch)
                    os.close(server.watch)
                if server.deadline is None:  # it was killed: its children have come here, and are in its group
                    self._kill_group(pid)
                self._report("ended", server.number, os.waitstatus_to_exitcode(status))

    def _kill_group(self, group: int) -> None:
        try:
            os.killpg(group, SIGKILL)
        except OSError:
            pass

    def _hurry(self) -> None:
        """Kill the servers that have had their time."""
        for server in self._servers.values():
            if server.deadline and time.monotonic() > server.deadline:
                self._kill_group(server.pid)

    def _own_children(self) -> list[int]:
        servers = {server.pid for server in self._servers.values()}
        return [pid for pid in children(self._pid) if pid not in servers]

    def _look(self) -> None:
        """Look for orphans, and end those whose process has ended a while ago."""
        for pid in self._own_children():
            if pid not in self._orphans and (known := stat(pid)):
                self._orphans[pid] = Orphan(pid, known[1])
        for orphan in list(self._orphans.values()):
            if orphan.mark in self._condemned:
                self._end(orphan)
            elif orphan.mark and self._is_over(orphan):
                orphan.due = orphan.due or time.monotonic()
                if time.monotonic() - orphan.due > GRACE:
                    self._condemned.add(orphan.mark)
                    self._end(orphan)

    def _is_over(self, orphan: Orphan) -> bool:
        """Has the process ended that the orphan comes from?"""
        known = stat(orphan.mark)
        return known is None or known[1] > orphan.start

    def _condemned_live(self) -> bool:
        return any(orphan.mark in self._condemned for orphan in self._orphans.values())

    def _end(self, orphan: Orphan) -> None:
        """Kill an orphan with all its descendants, which are told as left behind."""
        pids = [orphan.pid]
        for pid in pids:
            pids += [child for child in children(pid) if child not in pids]
        if len(self._left) < MOST_LEFT:
            self._left += [(orphan.mark, command) for pid in pids if stat(pid) and (command := command_of(pid))]
        groups = {known[0] for pid in pids if (known := stat(pid))}
        for pid in pids:
            kill(pid)
        for group in groups - self._groups:
            self._kill_group(group)  # a whole group at once cannot fork away
        self._orphans.pop(orphan.pid, None)

    def _finish(self, wanted: bool) -> None:
        """End all servers, then all that is left; report it if the harness waits for it."""
        for server in self._servers.values():
            if server.deadline is None:
                self._stop(server)
        while self._servers:
            time.sleep(BUSY_TICK)
            self._reap()
            self._hurry()
        deadline = time.monotonic() + GRACE
        while wanted and time.monotonic() < deadline and self._own_children():
            time.sleep(BUSY_TICK)
            self._reap()
        deadline = time.monotonic() + KILL_SECONDS
        seen: set[int] = set()
        while time.monotonic() < deadline and (pids := self._own_children()):
            for pid in pids:
                kill(pid, SIGSTOP)  # one that forks again and again must not be gone when it is looked at
            for pid in pids:
                if pid not in seen and (known := stat(pid)):
                    self._end(Orphan(pid, known[1]))
                else:
                    kill(pid)
                seen.add(pid)
            self._reap()
        if wanted:
            self._report("left", self._left)


if __name__ == "__main__":
    Keeper(int(sys.argv[1])).serve()
