"""Errors by exit code. A message is one sentence that says what is wrong and how to correct it.

HarnessError              3
├── BadInput              2   a file, key, argument or script of the user's
│   └── MissingRuntime    2   an interpreter or server that is not on this machine; in pytest a skip
├── InfrastructureError   3   the server, Locust or the machine failed: nothing is known about the site
├── Inconclusive          3   it ran, but proves nothing
│   └── BrokenSide        3   harness.gate.pairs: one of two scripts fails one request at a time
└── BrokenScript          3   harness.bench.cycle: the script of a cell fails one request at a time
"""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Iterable, Sequence

# What a reader takes in of a wrong value: its begin and its end show which one it is.
MOST_QUOTED = 80
# Of a list of names: more do not help to find the one that was meant.
MOST_LISTED = 20
# Names are compared letter by letter with those that are known: no longer one was ever meant.
MOST_COMPARED = 200
# Escape sequences and what else moves a terminal's cursor; marks that turn the direction of what follows them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
# What CI services take for commands: at the begin of a line (GitHub), or anywhere (GitHub's old form, Azure).
_COMMAND = re.compile(r"^(\s*:)(?=:)|(##)(?=\[|vso\[)", re.MULTILINE)


class HarnessError(Exception):
    """Base of the errors that a user sees as one sentence, without a traceback."""

    exit_code = 3
    # The ends of two logs, eight lines each, and a sentence.
    most_characters = 6000

    def __str__(self) -> str:
        return shortened(printable(super().__str__()), self.most_characters)


class BadInput(HarnessError):
    """The user's input cannot be used: a file, a key, an argument, a script that does not import."""

    exit_code = 2
    # Ten lines, a mistake each, with the names that are allowed: what a terminal shows at once.
    most_characters = 1800


class MissingRuntime(BadInput):
    """A runtime's interpreter or server is not on this machine; pytest skips the case."""


class InfrastructureError(HarnessError):
    """The server, Locust or the machine failed: nothing is known about the site."""


class Inconclusive(HarnessError):
    """A case ran, but proves nothing: no cold start, no overlap, a slow machine."""


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    if len(word) > MOST_COMPARED:
        return ""
    comparable = [name for name in itertools.islice(known, 1000) if len(name) <= MOST_COMPARED]
    close = difflib.get_close_matches(word, comparable, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def listing(what: str, known: Sequence[str]) -> str:
    """` (what: a, b, c)`, or nothing."""
    names = ", ".join(shortened(name) for name in known[:MOST_LISTED])
    more = f" and {len(known) - MOST_LISTED} more" if len(known) > MOST_LISTED else ""
    return f" ({what}: {names}{more})" if known else ""


def quoted(value: object, most: int = MOST_QUOTED) -> str:
    """A wrong value as a message repeats it: as Python writes it, without its middle where it is long."""
    try:
        text = repr(value)
    except ValueError:
        text = "a number of thousands of digits"  # Python refuses to write it out
    except RecursionError:
        text = "a deeply nested value"
    return shortened(text, most)


def shortened(text: str, most: int = MOST_QUOTED) -> str:
    """The text, or its begin, its end and how long it is."""
    if len(text) <= most:
        return text
    left_out = f" … ({len(text)} characters) … "
    half = (most - len(left_out)) // 2
    return f"{text[:half]}{left_out}{text[-half:]}"


def printable(text: str) -> str:
    """A site's text as a terminal and a CI log may show it: control characters escaped, CI commands broken up."""
    shown = _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape", "surrogatepass").decode(), text)
    return _COMMAND.sub(lambda found: f"{found[0]} ", shown)
