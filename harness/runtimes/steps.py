"""The commands of a build: one log, news of how it goes on, and an end to all its processes however it ends."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self

from harness import proc
from harness.errors import InfrastructureError, printable
from harness.runtimes.interpreters import clean_environment

# Of one command. mod_wsgi-standalone compiles all of httpd: 15 minutes on two slow cores, with nothing beside it.
BUILD_SECONDS = 7200
# Whatever the caller's is: what is built may be run by everybody, and changed by its user alone.
BUILD_UMASK = 0o022
# The end of a failing log that an error quotes: compilers and pip print the cause among their last lines.
LOG_LINES = 12
# Lines further up that say what was wrong: the first is the cause, the others mostly follow from it.
CAUSE_LINES = 3
_CAUSE = re.compile(r"\berror:|\bError: |cannot |not found\b|No such file", re.IGNORECASE)
# Where no terminal is: CI services end a job that writes nothing for ten minutes.
QUIET_SECONDS = 60.0
# Often enough to look alive; and nobody waits for a step that is over.
POLL_SECONDS = 0.2
# What a terminal's line shows of the log: a compiler's command line has kilobytes, and its end names the file.
SHOWN_CHARACTERS = 60
# The last line of a log is looked for in this much of its end.
TAIL_BYTES = 16384
# Starts a command in its own process group, whose processes are all ended when the harness is gone, even by SIGKILL:
# then the pipe that it holds the other end of is closed.
GUARDED = 'exec 3<&0 </dev/null; (read -r _ <&3; kill -KILL 0) 2>/dev/null & exec "$@" 3<&-'

Say = Callable[[str], None]
"""Receives one line about what is being done, for the user who waits."""


class Progress:
    """Tells how a wait goes on, by the last line of a log: on a terminal one line, again and again; else one a minute.

    A context manager; nothing of the line stays on the terminal."""

    def __init__(self, what: str, log: Path, report: Say) -> None:
        self._what = what
        self._log = log
        self._report = report
        self._begin = self._last = time.monotonic()
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._overwrite("")

    def tick(self) -> None:
        """To be called several times a second."""
        now = time.monotonic()
        if now - self._last < (1.0 if self._terminal else QUIET_SECONDS):
            return
        self._last = now
        text = f"{self._what}: {elapsed(now - self._begin)}"
        if line := last_line(self._log):
            text += f": {line}"
        if self._terminal:
            self._overwrite(text)
        else:
            self._report(text)

    def _overwrite(self, text: str) -> None:
        if self._terminal:
            with contextlib.suppress(OSError, ValueError):  # the terminal is gone; that ends no build
                width = shutil.get_terminal_size().columns - 1
                sys.stderr.write(f"\r\x1b[K{text[:width]}")
                sys.stderr.flush()


def elapsed(seconds: float) -> str:
    """`42 s`, `3 min 07 s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def last_line(log: Path) -> str:
    """The last line of a log, fit for a terminal; of a long one its end."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - TAIL_BYTES))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    line = next((line for line in reversed(text.splitlines()) if line.strip()), "")
    line = printable(" ".join(line.split()))
    return line if len(line) <= SHOWN_CHARACTERS else f"…{line[1 - SHOWN_CHARACTERS :]}"


class Build:
    """The commands of one build, and the log that they share."""

    def __init__(
        self,
        log: Path,
        hints: Mapping[str, str] | None = None,
        *,
        report: Say = lambda _: None,
        environment: Mapping[str, str | None] | None = None,
    ) -> None:
        """`hints`: how to get what is missing, by a word of a failing log; `environment`: variables for the commands,
        None for those that they must not have."""
        self._log = log
        self._hints = hints or {}
        self._report = report
        changes = environment or {}
        kept = {name: value for name, value in clean_environment().items() if name not in changes}
        self._environment = kept | {name: value for name, value in changes.items() if value is not None}
        log.write_bytes(b"")

    def step(self, *command: str, optional: bool = False) -> None:
        """Run a command. Raises InfrastructureError: it fails, and is not optional; the message has its last lines."""
        if proc.program(command[0]) is None:
            raise InfrastructureError(f"`{command[0]}` cannot be run: {os.strerror(errno.ENOENT)}")
        try:
            code = self._run(command)
        except OSError as error:
            raise InfrastructureError(f"`{command[0]}` cannot be run: {error.strerror}") from error
        if code and not optional:
            said = quoted(self._log.read_text(errors="replace").splitlines())
            remedy = next((remedy for word, remedy in self._hints.items() if word in said), "")
            hint = f"\n  Hint: {remedy}" if remedy else ""
            raise InfrastructureError(f"`{' '.join(command)}` failed ({self._log}):\n  {said}{hint}")

    def _run(self, command: tuple[str, ...]) -> int:
        """The exit code of a command. None of its processes is left, whatever ends the wait for it."""
        what = command[2] if command[1:2] == ("-m",) else Path(command[0]).name  # of `python -m pip install …`: pip
        limit = time.monotonic() + BUILD_SECONDS
        with self._log.open("ab") as output, Progress(f"  {what}", self._log, self._report) as progress:
            process = subprocess.Popen(
                ["sh", "-c", GUARDED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self._log.parent,
                umask=BUILD_UMASK,
                env=self._environment,
                start_new_session=True,
            )
            try:
                while True:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        return process.wait(POLL_SECONDS)
                    progress.tick()
                    if time.monotonic() > limit:
                        raise InfrastructureError(f"building a runtime took over {BUILD_SECONDS} s: see {self._log}")
            finally:
                # The guard, and whatever the command left behind, are in its process group still.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                assert process.stdin is not None
                process.stdin.close()


def quoted(lines: list[str]) -> str:
    """What an error quotes of a failing log: its end, and the first lines before that which say what was wrong."""
    tail = lines[-LOG_LINES:]
    causes = [line.strip() for line in lines[:-LOG_LINES] if _CAUSE.search(line) and "... " not in line]
    # A compiler's command line is no explanation, and would fill the screen.
    shown = dict.fromkeys(line for line in causes if len(line) < 2 * LOG_LINES * SHOWN_CHARACTERS)
    return "\n  ".join([*list(shown)[:CAUSE_LINES], *tail])
