"""What can be wrong with the arguments, the working directory and the terminal before any command looks at them."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from harness.errors import BadInput, printable, quoted, shortened

# What click says beside a wrong value: the option, what it may be, the usage.
MOST_CHARACTERS = 1500
# No option and no choice is as long.
_LONG_WORD = re.compile(r"\S{200,}")


def check_arguments(arguments: Sequence[str]) -> None:
    """Raises BadInput: bytes that are not text, which no file of a run can hold."""
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise BadInput(f"the argument {quoted(argument)} is not text in UTF-8") from None


def check_working_directory() -> None:
    """Raises BadInput: it was deleted."""
    try:
        Path.cwd()
    except OSError as error:
        raise BadInput(f"the working directory cannot be used ({error.strerror}): change to another one") from None


def write_everything(*streams: object) -> None:
    """Let these streams write what their encoding lacks, `\\u2026` for an ellipsis in ASCII; by default the standard
    ones."""
    for stream in streams or (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def shorten(error: click.ClickException) -> None:
    """Leave the middle of a wrong value out of what click says of it."""
    words = _LONG_WORD.sub(lambda word: shortened(word[0]), printable(error.message))
    error.message = shortened(words, MOST_CHARACTERS)  # type: ignore[misc]  # click has no other place for it
