"""Reads tracebacks in logs and recordings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from harness.records import LogLine

_EVIDENCE_LINES = 12  # the error and the innermost four or five frames
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_ERROR_LINE = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|NotReady|DoesNotExist|Configured|Exit|Interrupt|Warning))\b(.*)"
)


def errors_in(log: Iterable[LogLine]) -> list[str]:
    """The last lines of the tracebacks in a log: `Type: message`."""
    return [line.text.strip() for line in log if _ERROR_LINE.match(line.text)]


def last_place(lines: Sequence[str]) -> str:
    """`file:line` of a traceback's innermost frame; "" where there is none."""
    frames = [match for line in lines if (match := _FRAME.search(line))]
    return f"{frames[-1][1]}:{frames[-1][2]}" if frames else ""


def own_frames(lines: list[str]) -> tuple[str, ...]:
    """The end of a traceback without the probe's own frames and the carets under them."""
    kept: list[str] = []
    skipping = False
    for line in lines:
        if line.lstrip().startswith('File "'):
            skipping = "/probe.py" in line or "<frozen importlib" in line
        elif not line.startswith("    "):
            skipping = False
        if not skipping and line.strip(" ^~") and line.strip():
            kept.append(line)
    return tuple(kept[-_EVIDENCE_LINES:])
