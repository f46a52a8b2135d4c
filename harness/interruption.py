"""What SIGINT, SIGTERM, SIGHUP and SIGQUIT do to the `harness` command: it ends tidily, with exit code 3.

While its modules are still being imported, and once it is done, a signal ends it at once: then nothing of its own runs.
In between the first one raises KeyboardInterrupt, and the second ends it at once; what it has started ends by itself
(hosting/keeper.py). Imported before all else, so it imports little.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

EXIT_CODE = 3
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
# A terminal that is closed, and a `timeout` that signals a whole group, send more than one signal for one reason.
ONE_REASON_SECONDS = 0.3


class _Interruption:
    """The state of this process."""

    def __init__(self) -> None:
        self.running = False
        self.first: float | None = None
        self.shields = 0
        self.pending = False
        self.thread = 0


_state = _Interruption()


def install() -> None:
    """Handle the signals from now on. What is ignored stays ignored: `nohup`, or the background of a shell."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _handle)


def begin() -> None:
    """From now on a signal raises KeyboardInterrupt."""
    _state.running = True


def end() -> None:
    """From now on a signal ends the process at once."""
    _state.running = False


@contextlib.contextmanager
def shielded() -> Iterator[None]:
    """Let a signal wait until this block is over: it tidies up, or writes what must be whole.

    On another thread than the main one it does nothing: signals come to the main thread.
    """
    if not _state.running or not _is_main_thread():
        yield
        return
    _state.shields += 1
    try:
        yield
    finally:
        _state.shields -= 1
    if _state.pending and not _state.shields:
        _state.pending = False
        raise KeyboardInterrupt


def _is_main_thread() -> bool:
    import threading  # noqa: PLC0415 - not before it is needed: see above

    return threading.current_thread() is threading.main_thread()


def _handle(*_: object) -> None:
    now = time.monotonic()
    if not _state.running:
        _end_at_once("harness: interrupted; nothing is left running\n")
    if _state.first is None:
        _state.first = now
        if _state.shields:
            _state.pending = True
            return
        raise KeyboardInterrupt
    if now - _state.first > ONE_REASON_SECONDS:
        _end_at_once("harness: interrupted again; what still runs is being ended, what was measured is kept\n")


def _end_at_once(sentence: str) -> None:
    with contextlib.suppress(OSError):
        os.write(2, sentence.encode())
    os._exit(EXIT_CODE)
