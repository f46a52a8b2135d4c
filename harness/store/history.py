"""The append-only record of a case: one JSON object per line, flushed after each trial.

The first line is the case; controls and trials follow in the order in which they ended. The body of an answer is
written once and then referred to by its digest (`sha256:…`), because most answers are alike.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal, TypeVar, cast

import msgspec
import pydantic
from msgspec.structs import replace

from harness.cases.case import Case
from harness.cases.reading import MAX_LINE, check_file, decode, lines, shown
from harness.cases.toml import explain
from harness.checkers.rules import RULES
from harness.errors import BadInput, HarnessError, quoted, shortened
from harness.records import Answer, BackendName, Control, Lane, Leftovers, Record, Trial
from harness.runtimes.limits import write_error
from harness.store import private
from harness.store.version1 import Control1, Trial1, converted_case

_PREFIX = "sha256:"
# Digests that a writer remembers: a site whose every answer differs must not fill the memory, and 2000 take 300 kB.
_MAX_KNOWN = 2000
# A shorter body stays where it is: its digest alone takes 71 characters, and its line more than it saves.
_SHORT_BODY = 100
# Read at a time to find the end of the last line: most lines are shorter.
_CHUNK = 65536
# What cannot stand in the name of a file, or would end it on a terminal.
_UNWRITABLE = re.compile(r"[/\x00-\x1f\x7f]")
# A name has at most 255 bytes; that of a trace has 40 more than the history's.
_MOST_BYTES = 180
VERSION = 2
"""Version of the format. 1 was that of harness 0.1: see version1.py."""


class AnswerBody(Record, frozen=True, tag="body"):
    """The body that later answers refer to."""

    digest: str
    text: str


class Forget(Record, frozen=True, tag="forget"):
    """Bodies before this line are not referred to after it."""


class Surroundings(Record, frozen=True):
    """What a case ran on, and in which lane."""

    backend: BackendName = "local"
    lane: Lane = "apache"
    versions: dict[str, str] = msgspec.field(default_factory=dict)


_UNKNOWN = Surroundings()


class Header(Record, frozen=True, tag="case"):
    """The first line."""

    case: dict[str, Any]
    version: int = 1
    rules: int = 1
    """The number of the rules that the case was judged by; see checkers/rules.py."""
    fail_on_hazard: bool = False
    ran_on: Surroundings = _UNKNOWN


class End(Record, frozen=True, tag="end"):
    """How the case ended; the last line. Without it the harness was killed."""

    how: Literal["complete", "stopped", "failed"]
    reason: str = ""
    """Why it failed."""


_Line = Header | AnswerBody | Forget | Control | Trial | Leftovers | End
_Kept = TypeVar("_Kept", bound=Control | Trial)
_encode = msgspec.json.Encoder().encode
_decoder = msgspec.json.Decoder(_Line)
_end_decoder = msgspec.json.Decoder(End)
_END_BEGIN = b'{"type":"end"'
# An error's sentence quotes some lines of a log at most; escaped as JSON a character may take six bytes.
_LONGEST_REASON = 8000
_END_BYTES = 65536
_header_decoder = msgspec.json.Decoder(Header)
_decoder_1 = msgspec.json.Decoder(Header | AnswerBody | Forget | Control1 | Trial1)
# Bytes that JSON makes of one, \u0000; and the largest body that is read again, where a case allows larger ones.
_ESCAPED = 6
_MOST_BODY = 64 * 2**20
# Seconds: wall time is 2e9 now, and a float still has microseconds here.
_LONGEST = 1e10


class HistoryWriter:
    """Writes a history; usable from several threads. A context manager."""

    def __init__(
        self,
        path: Path,
        case: Case,
        ran_on: Surroundings = _UNKNOWN,
        *,
        part: int = 1,
        fail_on_hazard: bool = False,
    ) -> None:
        """A new history; or, from part 2 on, one that a run goes on with. Raises BadInput, InfrastructureError: the
        file cannot be written; the disk is full."""
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self._path = path
        self._size = 0
        self._failure: HarnessError | None = None
        self._ended = False
        self._part = part
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # Unbuffered: what is not written must not be tried again at the end.
            mode = "xb" if part == 1 else "r+b"
            self._stream = open(path, mode, buffering=0, opener=private.opener)  # noqa: SIM115 - closed by __exit__
            self._size = self._stream.seek(end_of_last_line(cast(BinaryIO, self._stream)))
            self._stream.truncate()
        except OSError as error:
            raise write_error(path, "the history", error) from error
        header = Header(case=case.to_json(), version=VERSION, rules=RULES, fail_on_hazard=fail_on_hazard, ran_on=ran_on)
        try:
            self._write(_encode(header if part == 1 else Forget()) + b"\n")
        except HarnessError:
            self._stream.close()
            raise

    def __enter__(self) -> HistoryWriter:
        return self

    def __exit__(self, _: object = None, error: BaseException | None = None, __: object = None) -> None:
        """Write down how the case ended, if nobody has."""
        if error is None:
            self.end("complete")
        elif isinstance(error, KeyboardInterrupt):
            self.end("stopped")
        else:
            self.end("failed", str(error) if isinstance(error, HarnessError) else f"{type(error).__name__}: {error}")
        self._stream.close()

    def add(self, record: Control | Trial | Leftovers) -> None:
        """Append a record. Raises InfrastructureError: the disk is full; what was there before is kept."""
        with self._lock:
            lines: list[bytes] = []
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
                lines.append(_encode(Forget()))
            shared = functools.partial(self._shared, lines=lines)
            whole = record if isinstance(record, Leftovers) else _with_answers(replace(record, part=self._part), shared)
            lines.append(_encode(whole))
            self._write(b"".join(line + b"\n" for line in lines))

    def end(self, how: Literal["complete", "stopped", "failed"], reason: str = "") -> None:
        """Write down how the case ended, once. A disk that is full has been told before."""
        with self._lock, contextlib.suppress(HarnessError):
            if not self._ended:
                self._ended = True
                self._write(_encode(End(how=how, reason=reason[:_LONGEST_REASON])) + b"\n")

    def _shared(self, answer: Answer, lines: list[bytes]) -> Answer:
        if len(answer.body) < _SHORT_BODY:
            return answer
        digest = _PREFIX + hashlib.sha256(answer.body.encode("utf-8", "replace")).hexdigest()
        if digest not in self._known:
            self._known.add(digest)
            lines.append(_encode(AnswerBody(digest=digest, text=answer.body)))
        return replace(answer, body=digest)

    def _write(self, text: bytes) -> None:
        """Write whole lines, or nothing; after a failure never again. Raises HarnessError."""
        if self._failure is not None:
            raise self._failure
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[self._stream.write(rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):
                self._stream.truncate(self._size)
            self._failure = write_error(self._path, "the history", error)
            raise self._failure from error
        self._size += len(text)


def end_of_last_line(stream: BinaryIO) -> int:
    """Where the last whole line ends: what stands behind it was cut short by a kill, and would join the next one."""
    position = stream.seek(0, os.SEEK_END)
    while position:
        begin = max(0, position - _CHUNK)
        stream.seek(begin)
        newline = stream.read(position - begin).rfind(b"\n")
        if newline >= 0:
            return begin + newline + 1
        position = begin
    return 0


def file_name(case: str) -> str:
    """The name of the history file of the case with this id."""
    name = _UNWRITABLE.sub("_", case.replace("::", "."))
    if len(name.encode("utf-8", "replace")) > _MOST_BYTES:
        digest = hashlib.sha256(case.encode("utf-8", "replace")).hexdigest()[:16]
        name = f"{name.encode('utf-8', 'replace')[: _MOST_BYTES - 17].decode('utf-8', 'ignore')}.{digest}"
    return f"{name}.jsonl"


def read_rules(path: Path) -> tuple[int, bool]:
    """The number of the rules that a history was judged by, and whether a hazard was to fail. Raises BadInput."""
    header = _read_header(path)
    return header.rules, header.fail_on_hazard


def read_end(path: Path) -> End | None:
    """How the case ended; None if the history does not say it. Raises BadInput."""
    check_file(path)
    try:
        with path.open("rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _END_BYTES))
            last = stream.read().splitlines(keepends=True)[-1:]
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    if not last or not last[0].startswith(_END_BEGIN) or not last[0].endswith(b"\n"):
        return None
    return decode(_end_decoder, last[0], shown(path), "a history: its last line is damaged")


def is_begun(path: Path) -> bool:
    """Is there a history with its first line? If not, what is left of that line is removed."""
    if os.path.lexists(path):
        check_file(path)
    try:
        with path.open("rb") as stream:
            if stream.readline().endswith(b"\n"):
                return True
        path.unlink()
    except FileNotFoundError:
        pass
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}") from error
    return False


def read_surroundings(path: Path) -> Surroundings:
    """What the case of a history ran on, as far as it says. Raises BadInput: as `read_case`."""
    return _read_header(path).ran_on


def read_case(path: Path) -> Case:
    """The case of a history. Raises BadInput: not a history, or one of a newer harness."""
    header = _read_header(path)
    try:
        return Case.from_json(converted_case(header.case) if header.version == 1 else header.case)
    except pydantic.ValidationError as error:
        why = explain(error, Case, "case").partition("\n")[0]
    except (msgspec.ValidationError, ValueError, TypeError, RecursionError) as error:
        why = shortened(str(error), 300)
    raise BadInput(f"{shown(path)}: its case was written by another version of the harness, or is damaged: {why}")


def _read_header(path: Path) -> Header:
    for _, line in lines(path):
        header = decode(_header_decoder, line, shown(path), "a history: its first line is not a case")
        break
    else:
        raise BadInput(f"{shown(path)}: not a history: its first line is not a case")
    if not 1 <= header.version <= VERSION:
        version = quoted(header.version)
        raise BadInput(
            f"{shown(path)}: written by a newer harness (format {version}, known are 1 to {VERSION}): update"
        )
    return header


def read(path: Path) -> Iterator[Control | Trial | Leftovers]:
    """The records of a history, one at a time. A last line that a kill cut short is skipped. Raises
    BadInput: a damaged line."""
    bodies: dict[str, str] = {}
    for line in _lines(path):
        if isinstance(line, AnswerBody):
            bodies[line.digest] = line.text
        elif isinstance(line, Forget):
            bodies.clear()
        elif isinstance(line, Leftovers):
            yield line
        elif isinstance(line, Control | Trial):
            yield _with_answers(line, lambda answer: replace(answer, body=bodies.get(answer.body, answer.body)))


def _with_answers(record: _Kept, change: Callable[[Answer], Answer]) -> _Kept:
    """The record with each of its answers changed."""
    changed = replace(record, answers=tuple(map(change, record.answers)))
    return replace(changed, follow_up=tuple(map(change, record.follow_up))) if isinstance(record, Trial) else changed


def _lines(path: Path) -> Iterator[_Line]:
    header = _read_header(path)
    decoder: msgspec.json.Decoder[Any] = _decoder_1 if header.version == 1 else _decoder
    requests = header.case.get("requests")
    count = len(requests) if isinstance(requests, list) else 0
    largest = header.case.get("max_body")
    most = max(MAX_LINE, _ESCAPED * min(largest, _MOST_BODY)) if isinstance(largest, int) else MAX_LINE
    for number, text in lines(path, most):
        name = f"{shown(path)}:{number}"
        line = decode(decoder, text, name, "a line of a history")
        record = line.converted() if isinstance(line, Control1 | Trial1) else line
        if isinstance(record, Control | Trial):
            _check_record(record, count, name)
        yield record


def _check_record(record: Control | Trial, requests: int, name: str) -> None:
    """Raises BadInput: an answer to a request that its case does not have, or a moment that no clock shows."""
    answers = (*record.answers, *(record.follow_up if isinstance(record, Trial) else ()))
    times = [record.begin, *(answer.intended for answer in answers)]
    for answer in answers:
        if not 0 <= answer.request < requests:
            raise BadInput(f"{name}: damaged: an answer to request {answer.request} of {requests}")
        times += [moment for moment in (answer.sent, answer.first_byte, answer.last_byte) if moment is not None]
    for inside in record.evidence.inside:
        times += [span.begin for span in inside.spans]
        times += [span.end for span in inside.spans if span.end is not None]
        times += [mishap.at for mishap in inside.mishaps]
    if times and (min(times) < -_LONGEST or max(times) > _LONGEST):
        raise BadInput(f"{name}: damaged: it has a moment that no clock shows")
