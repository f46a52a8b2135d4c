"""Reads the probe's recordings; harness/inside/probe.py describes their format."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness.cases import redaction
from harness.hosting import untrusted
from harness.inside.probe import CHUNK, LOST
from harness.records import Inside, Mishap, ProcessId, Span, Testimony

_decode = msgspec.json.Decoder(list[Any]).decode


def read(path: Path, process: ProcessId, since: float = 0.0, owner: int | None = None) -> Inside | None:
    """The recording of one process of the user `owner`, from the moment `since` on; None if there is none."""
    chunks = []
    try:
        with untrusted.opened(path, owner) as descriptor:
            if descriptor is None:
                return None
            with open(descriptor, "rb", buffering=0, closefd=False) as stream:
                # Chunks are handed out in order, so the first empty one is the end of a sparse file.
                while (chunk := stream.read(CHUNK)) and chunk[0]:
                    chunks.append(chunk)
                stream.seek(-LOST, os.SEEK_END)
                lost = stream.read(LOST)
    except OSError:
        return None
    return parse(chunks, process, since, int(lost) if lost.strip().isdigit() else 0)


def parse(chunks: Iterable[bytes], process: ProcessId, since: float = 0.0, lost: int = 0) -> Inside:
    """The recording in `chunks`, each of them whole lines followed by zero bytes."""
    events: list[list[Any]] = []
    for chunk in chunks:
        # After the last newline there are zero bytes, or a line that was still being written.
        for line in chunk[: chunk.find(b"\0")].split(b"\n")[:-1]:
            try:
                events.append(_checked(_decode(line)))
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError):
                lost += 1
    events.sort(key=lambda event: event[0])
    shift, booted = 0.0, None
    opened: dict[int, tuple[int, float, str, str, list[str]]] = {}
    closed: dict[int, tuple[float, bool, int]] = {}
    mishaps: list[tuple[float, int, str, str, str]] = []
    witnesses: dict[str, Testimony] = {rest[0]: rest[1] for _, _, kind, *rest in events if kind == "witness"}
    again: list[str] = []
    disturbed: list[Any] = ["", 0, 0, -1]
    for at, thread, kind, *rest in events:
        if kind not in ("boot", "end") and at + shift < since:
            continue
        if kind == "begin":
            opened[rest[0]] = (thread, at, rest[1], rest[2], rest[3:])
        elif kind == "end":
            closed[rest[0]] = (at, bool(rest[1]), rest[2])
        elif kind == "error":
            mishaps.append((at, thread, rest[0], rest[1], rest[2]))
        elif kind == "again":
            again.append(rest[0])
        elif kind == "disturbed":
            disturbed = rest
        elif kind == "boot":
            shift = 0.0 if rest[0]["monotonic"] else _wall_to_monotonic()
            booted = at + shift
    spans = []
    for number, (thread, begin_at, kind, name, callers) in opened.items():
        end_at, failed, nested = closed.get(number, (None, False, 0))
        spans.append(
            Span(
                process=process,
                thread=thread,
                kind=kind,
                name=name,
                begin=begin_at + shift,
                end=None if end_at is None else end_at + shift,
                failed=failed,
                nested=nested,
                callers=tuple(callers),
            )
        )
    return Inside(
        process=process,
        booted=booted,
        spans=tuple(_with_script_end(spans)),
        mishaps=tuple(
            Mishap(
                process=process,
                thread=thread,
                at=at + shift,
                request=request,
                error=redaction.passage(error),
                traceback=redaction.passage(trace),
                witness=witnesses.pop(request, None),
            )
            for at, thread, request, error, trace in mishaps
        ),
        executed_again=tuple(again),
        strategy=disturbed[0],
        seed=disturbed[1],
        delays=disturbed[2],
        disturbed_files=disturbed[3],
        lost=lost,
    )


# What follows the time, the thread and the kind of an event; of a `begin` any number of callers more.
_FIELDS: dict[str, tuple[type, ...]] = {
    "boot": (dict,),
    "begin": (int, str, str),
    "end": (int, int, int),
    "error": (str, str, str),
    "witness": (str, dict),
    "again": (str,),
    "disturbed": (str, int, int, int),
}


def _checked(event: list[Any]) -> list[Any]:
    """An event as the probe writes it: the site could have written any line. Raises ValueError."""
    at, thread, kind, *rest = event
    fields = _FIELDS[kind] if isinstance(kind, str) and kind in _FIELDS else None
    if fields is None or not isinstance(at, float | int) or not isinstance(thread, int):
        raise ValueError(event)
    callers = rest[len(fields) :]
    fits = all(isinstance(value, field) for value, field in zip(rest, fields, strict=False))
    if len(rest) < len(fields) or not fits or (callers and kind != "begin"):
        raise ValueError(event)
    if not all(isinstance(caller, str) for caller in callers) or (kind == "boot" and "monotonic" not in rest[0]):
        raise ValueError(event)
    return event if kind != "witness" else [at, thread, kind, rest[0], msgspec.convert(rest[1], Testimony)]


def _with_script_end(spans: list[Span]) -> list[Span]:
    """Let the script's import end when the next request on its thread begins: its end is not recorded."""

    def end_of(script: Span) -> float | None:
        requests = (span for span in spans if span.kind == "request" and span.thread == script.thread)
        return min((request.begin for request in requests if request.begin >= script.begin), default=None)

    return [msgspec.structs.replace(span, end=end_of(span)) if span.kind == "script" else span for span in spans]


def _wall_to_monotonic() -> float:
    return time.monotonic() - time.time()
