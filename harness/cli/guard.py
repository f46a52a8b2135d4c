"""How a command ends: one sentence and an exit code, whatever happened.

Exit code 1 is a judgement (race, broken, not met, worse, different), so no error may lead to it: neither one that
nobody foresaw, nor one of click's own, nor a pipe that was closed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

import click

from harness.cli.arguments import check_arguments, check_working_directory, shorten, write_everything
from harness.errors import BadInput, HarnessError, printable
from harness.hosting.capacity import check_limits
from harness.runtimes.limits import sentence_of, shortage

# Commands that start other programs.
_RUNS = ("run", "check", "corpus", "explore", "replay", "resume", "bench", "baseline", "gate", "parity")
INCONCLUSIVE = HarnessError.exit_code
_OUTPUT_LOST = "the output cannot be written any more"


class GuardedGroup(click.Group):
    """A group of commands. Each ends with one sentence where it cannot end with its result."""

    def main(self, *args: Any, standalone_mode: bool = True, **extra: Any) -> Any:
        if not standalone_mode:
            return super().main(*args, standalone_mode=False, **extra)  # type: ignore[call-overload]
        open_standard_streams()
        write_everything()
        try:
            code = int(super().main(*args, standalone_mode=False, **extra) or 0)  # type: ignore[call-overload]
        except KeyboardInterrupt:
            code = interrupted()
        except SystemExit:  # click's own answer to a closed pipe, with exit code 1
            code = _reader_gone()
        except Exception as error:  # noqa: BLE001 - the last place where anything can be said about it
            code = explain(error)
        sys.exit(code if flush_output() else INCONCLUSIVE)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        check_arguments(args)
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if name in _RUNS and not {"-h", "--help"} & set(rest):
            check_limits()  # before anything is started that would fail for want of them
        return name, command, rest

    def invoke(self, ctx: click.Context) -> Any:
        check_working_directory()
        try:
            return super().invoke(ctx)
        except OSError as error:  # before click takes it for a reader that has gone
            ctx.exit(explain(error))


def explain(error: Exception) -> int:
    """Say on standard error what happened; the exit code."""
    match error:
        case HarnessError():
            complain(str(error))
            return error.exit_code
        case click.exceptions.Exit():
            return error.exit_code
        case click.Abort():
            return interrupted()
        case click.ClickException():
            shorten(error)
            with contextlib.suppress(OSError):
                error.show()
            return BadInput.exit_code  # click's own is 1 where a file cannot be opened
        case OSError(errno=errno.EPIPE) if not _takes_output():  # and not a program of the harness's own that ended
            return _reader_gone()
        case OSError() if error.filename is None and not _takes_output():
            complain(f"{_OUTPUT_LOST}: {sentence_of(error)}; what was measured is kept, and nothing is left running")
        case OSError() if shortage(error.errno):
            complain(f"{sentence_of(error)}; nothing is known about the site, and nothing is left running")
        case MemoryError():
            complain(f"{shortage(errno.ENOMEM)}; nothing is known about the site")
        case _:
            kept = keep_traceback(error)
            complain(f"the harness itself failed ({_named(error)}); this says nothing about the site. {kept}")
    return INCONCLUSIVE


def _reader_gone() -> int:
    complain(f"{_OUTPUT_LOST}: its reader has gone; what was measured is kept, and nothing is left running")
    return INCONCLUSIVE


def interrupted() -> int:
    """Say that a signal has ended the command; the exit code."""
    complain("interrupted; nothing is left running")
    return INCONCLUSIVE


def complain(sentence: str) -> None:
    """Print a sentence on standard error, if anybody listens there."""
    with contextlib.suppress(OSError, ValueError):
        click.echo(f"harness: {sentence}", err=True)


def _named(error: Exception) -> str:
    lines = printable(str(error)).splitlines()
    return f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__


def keep_traceback(error: Exception) -> str:
    """Write the traceback of an error that nobody foresaw into a file of its own: a sentence that says where."""
    text = "".join(traceback.format_exception(error))
    try:
        descriptor, name = tempfile.mkstemp(prefix="harness-traceback-", suffix=".txt")
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(text)
    except OSError:
        place = traceback.extract_tb(error.__traceback__)[-1]
        return f"It was raised at {Path(place.filename).name}:{place.lineno}; please report it"
    return f"Please report it with its traceback: {name}"


def open_standard_streams() -> None:
    """Open those of the three standard streams that the caller closed: a file of the harness's, opened in their place,
    would get what others print."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
    if sys.stdout is None:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115 - open until the end
    if sys.stderr is None:
        sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115


def _takes_output() -> bool:
    """Does standard output take another line? Where a write failed, nothing may be left in its buffer to be flushed."""
    try:
        sys.stdout.write("\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def flush_output() -> bool:
    """Write out what is still buffered; False if that is lost. Python would try again at its end, and fail."""
    sound = True
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            sound = False
            with contextlib.suppress(OSError, ValueError):
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, stream.fileno())
                os.close(null)
    return sound
