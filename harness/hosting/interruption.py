"""What SIGINT, SIGTERM, SIGHUP and SIGQUIT do to the `harness` command: it ends tidily, with exit code 3.

While its modules are still being imported, and once it is done, a signal ends it at once: then nothing of its own runs.
In between the first one raises KeyboardInterrupt, and the second ends it at once; what it has started ends by itself
(hosting/keeper.py). Imported before all else, so it imports little.
"""

from __future__ import annotations

# What the interpreter has loaded already, or holds in itself: `signal` alone imports more than all of this.
import _signal  # type: ignore[import-not-found]
import _thread
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

EXIT_CODE = 3
SIGNALS = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP, _signal.SIGQUIT)
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
        if _signal.getsignal(number) != _signal.SIG_IGN:
            _signal.signal(number, _handle)


def install_as_guest() -> Callable[[], None]:
    """Let signals raise KeyboardInterrupt in another program, if nobody handles them there; returns what undoes it."""
    before = {number: _signal.getsignal(number) for number in SIGNALS}
    taken = [number for number in SIGNALS if before[number] in (_signal.SIG_DFL, _signal.default_int_handler)]
    for number in taken:
        _signal.signal(number, _handle_as_guest)
    begin()

    def take_back() -> None:
        end()
        for number in taken:
            _signal.signal(number, before[number])

    return take_back


def begin() -> None:
    """From now on a signal raises KeyboardInterrupt. Called by the main thread."""
    _state.thread = _thread.get_ident()
    _state.running = True


def end() -> None:
    """From now on a signal ends the process at once."""
    _state.running = False


class Shield:
    """Let a signal wait until this block is over: it tidies up, or writes what must be whole.

    On another thread than the main one it does nothing: signals come to the main thread.
    """

    def __enter__(self) -> None:
        self._shields = _state.running and _thread.get_ident() == _state.thread
        _state.shields += self._shields

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        _state.shields -= self._shields
        if self._shields and _state.pending and not _state.shields:
            _state.pending = False
            raise KeyboardInterrupt


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


def _handle_as_guest(*_: object) -> None:
    if _state.shields:
        _state.pending = True
        return
    raise KeyboardInterrupt


def _end_at_once(sentence: str) -> None:
    try:
        os.write(2, sentence.encode())
    except OSError:  # nobody listens
        pass
    os._exit(EXIT_CODE)
