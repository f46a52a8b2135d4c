"""Asks a process for its stacks and its state; harness/inside/listener.py is the other end."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

import msgspec

from harness.cases import redaction
from harness.hosting import untrusted
from harness.records import ProcessId, State, ThreadStack

# A process that can answer does so in milliseconds, and in seconds on a machine with nothing to spare.
ANSWER_SECONDS = 10.0
# Between two questions the listener's pipe is closed for a moment; after a second nobody is there to open it.
LISTEN_SECONDS = 1.0
# Short beside an answer, which takes some milliseconds.
POLL_SECONDS = 0.002


class StateReport(msgspec.Struct):
    """A process's state as the process reports it, with its secrets."""

    state: dict[str, str | int]
    failed: list[str]

    def of(self, process: ProcessId) -> State:
        """The state as it may be stored."""
        entries: dict[str, str | int | None] = {name: self._entry(name, value) for name, value in self.state.items()}
        return State(process=process, entries=entries, failed=tuple(map(redaction.passage, self.failed)))

    def _entry(self, name: str, value: str | int) -> str | int:
        if isinstance(value, int):  # a count of the site's own
            return value
        return redaction.passage(value) if value in self.failed else redaction.entry(name, value)


def ask(recording: Path, question: str, owner: int | None = None) -> bytes | None:
    """The answer of the process that writes this recording, whose user is `owner`; None if it does not answer in
    time, or what it left is no answer."""
    answer = recording.with_name(f"{recording.name}.{question}")
    if not send(recording.with_name(f"{recording.name}.ask"), question, owner):
        return None
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            text = untrusted.read(answer, owner)
            untrusted.remove(answer)
            return text
        time.sleep(POLL_SECONDS)
    return None


def send(pipe: Path, question: str, owner: int | None) -> bool:
    """Write a question into the pipe; False if there is none, or nobody listens to it."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        try:
            descriptor = untrusted.open_pipe(pipe, owner)
            if descriptor is None:
                return False
            try:
                return os.write(descriptor, f"{question}\n".encode()) > 0
            finally:
                os.close(descriptor)
        except OSError as error:
            # Between two questions the listener has it closed, or closes it at this very moment.
            if error.errno not in (errno.ENXIO, errno.EPIPE) or time.monotonic() > deadline:
                return False
        time.sleep(POLL_SECONDS)


def stacks(recording: Path, process: ProcessId, owner: int | None = None) -> tuple[ThreadStack, ...]:
    """The stacks of all its threads; empty if it does not answer."""
    text = ask(recording, "stacks", owner)
    if text is None:
        return ()
    try:
        threads = msgspec.json.decode(text, type=list[ThreadStack])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ()
    return tuple(storable(thread, process) for thread in threads)


def storable(stack: ThreadStack, process: ProcessId) -> ThreadStack:
    """The stack of a thread of this process, without what is plainly a secret in a line of its source."""
    frames = (msgspec.structs.replace(frame, source=redaction.passage(frame.source)) for frame in stack.frames)
    return msgspec.structs.replace(stack, process=process, frames=tuple(frames))


def state(recording: Path, process: ProcessId, owner: int | None = None) -> State:
    """The state of the process."""
    text = ask(recording, "state", owner)
    if text is None:
        return State(process=process, entries={}, failed=("the process did not report its state",))
    try:
        return msgspec.json.decode(text, type=StateReport).of(process)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return State(process=process, entries={}, failed=(f"the process's report of its state is damaged: {error}",))


def forget(recording: Path) -> None:
    """Delete the files that a process has left beside its recording."""
    for word in ("ask", "state", "stacks", "state.part", "stacks.part"):
        untrusted.remove(recording.with_name(f"{recording.name}.{word}"))
