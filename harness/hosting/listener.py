"""Asks a process for its stacks and its state; harness/inside/listener.py is the other end."""

from __future__ import annotations

import contextlib
import errno
import os
import time
from pathlib import Path

import msgspec

from harness.records import ProcessId, State, ThreadStack

# A process that can answer does so in milliseconds, and in seconds on a machine with nothing to spare.
ANSWER_SECONDS = 10.0
# Between two questions the listener's pipe is closed for a moment; after a second nobody is there to open it.
LISTEN_SECONDS = 1.0
# Short beside an answer, which takes some milliseconds.
POLL_SECONDS = 0.002


class StateReport(msgspec.Struct):
    """A process's state as the process reports it."""

    state: dict[str, str | int]
    failed: list[str]

    def of(self, process: ProcessId) -> State:
        return State(process=process, entries=dict(self.state), failed=tuple(self.failed))


def ask(recording: Path, question: str) -> bytes | None:
    """The answer of the process that writes this recording; None if it does not answer in time."""
    answer = recording.with_name(f"{recording.name}.{question.partition(' ')[0]}")
    descriptor = _open(recording.with_name(f"{recording.name}.ask"))
    if descriptor is None:
        return None
    try:
        os.write(descriptor, f"{question}\n".encode())
    finally:
        os.close(descriptor)
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(FileNotFoundError):
            text = answer.read_bytes()
            answer.unlink()
            return text
        time.sleep(POLL_SECONDS)
    return None


def _open(pipe: Path) -> int | None:
    """The pipe, opened for writing; None if there is none, or nobody listens to it."""
    deadline = time.monotonic() + LISTEN_SECONDS
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                return None
            time.sleep(POLL_SECONDS)  # the listener has it closed between two questions


def stacks(recording: Path, process: ProcessId) -> tuple[ThreadStack, ...]:
    """The stacks of all its threads; empty if it does not answer."""
    text = ask(recording, "stacks")
    if text is None:
        return ()
    threads = msgspec.json.decode(text, type=list[ThreadStack])
    return tuple(msgspec.structs.replace(thread, process=process) for thread in threads)


def state(recording: Path, process: ProcessId, invariant: str) -> State:
    """The state of the process; `invariant` is a function of the site, `module:function`, or ""."""
    text = ask(recording, f"state {invariant}".strip())
    if text is None:
        return State(process=process, entries={}, failed=("the process did not report its state",))
    return msgspec.json.decode(text, type=StateReport).of(process)


def forget(recording: Path) -> None:
    """Delete the files that a process has left beside its recording."""
    for word in ("ask", "state", "stacks", "state.part", "stacks.part"):
        recording.with_name(f"{recording.name}.{word}").unlink(missing_ok=True)
