"""What a traceback in a log or a recording says."""

from __future__ import annotations

import re
from collections.abc import Iterable

from harness.records import LogLine

_EVIDENCE_LINES = 12
_ERROR_LINE = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|NotReady|DoesNotExist|Configured|Exit|Interrupt|Warning))\b(.*)"
)


def errors_in(log: Iterable[LogLine]) -> list[str]:
    """The last lines of the tracebacks in a log: `Type: message`."""
    return [line.text.strip() for line in log if _ERROR_LINE.match(line.text)]


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
