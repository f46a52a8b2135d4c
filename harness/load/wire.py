"""One HTTP/1.1 exchange on a connection of its own: the bytes of a request, and its response, read within limits.

Standard library only: the harness uses it as it is, Locust's process with the sockets that gevent has put in place.
"""

from __future__ import annotations

import contextlib
import re
import socket
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from harness.load.headers import COMPARED_HEADERS, PROOF_HEADERS

Fields = list[tuple[str, str]]

# A server on this machine accepts at once, unless its backlog is full; then it is not going to in the next seconds.
CONNECT_SECONDS = 10.0
# Servers and proxies accept some kB of headers; this is what a site that means no harm never sends.
MAX_HEAD = 2**20
# The size of a chunk, with an extension that nobody uses.
MAX_SIZE_LINE = 4096
# What one call takes from the kernel: more than a loopback connection holds at a time.
_PIECE = 2**16
# Methods whose request has a length even where its body is empty.
_WITH_BODY = ("POST", "PUT", "PATCH")
_NO_BODY = (204, 304)
_STATUS_LINE = re.compile(rb"HTTP/1\.[0-9] ([1-9][0-9][0-9])(?: .*)?")
_END_OF_HEAD = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"\s*([0-9A-Fa-f]{1,15})\s*(?:;.*)?")


class MalformedAnswer(Exception):
    """No client can read this response: what is wrong with it."""


class Cut(Exception):
    """The response is over a limit."""


class _ConnectionEnd(Exception):
    """The server has closed the connection."""


def header_fields(address: tuple[str, int], method: str, headers: Mapping[str, str], body: bytes) -> Fields:
    """The header fields of a request in the order in which they are sent: Host, those given, the body's length."""
    fields = list(headers.items())
    if not any(name.lower() == "host" for name in headers):
        fields.insert(0, ("Host", f"{address[0]}:{address[1]}"))
    if body or method in _WITH_BODY:
        fields.append(("Content-Length", str(len(body))))
    return fields


def request_bytes(
    address: tuple[str, int], method: str, target: str, headers: Mapping[str, str], body: bytes = b""
) -> bytes:
    """A request as it is sent. The target and the headers are ASCII: see harness.cases.target."""
    fields = header_fields(address, method, headers, body)
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("ascii") + body


def kept_headers(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The headers that are kept, by their names in lower case. Of several with one name the values are joined, as a
    client may do; of the probe's the last one counts: the site could have sent others before it."""
    kept: dict[str, str] = {}
    for name, value in fields:
        key = name.lower()
        if key in PROOF_HEADERS:
            kept[key] = value
        elif key in COMPARED_HEADERS:
            kept[key] = f"{kept[key]}, {value}" if key in kept else value
    return kept


def decoded(body: bytes, fields: Iterable[tuple[str, str]], most: int) -> bytes:
    """The body without its gzip or deflate coding, whose bytes may differ where the text does not; another coding
    stays. Raises MalformedAnswer, Cut: it cannot be decoded; it has more than `most` bytes."""
    codings = [
        coding.strip().lower()
        for name, value in fields
        if name.lower() == "content-encoding"
        for coding in value.split(",")
    ]
    for coding in reversed(codings):
        if coding in ("", "identity") or not body:
            continue
        if coding not in ("gzip", "x-gzip", "deflate"):
            break
        body = _inflated(body, coding, most)
    return body


def _inflated(body: bytes, coding: str, most: int) -> bytes:
    pieces: list[bytes] = []
    size, rest = 0, body
    # 47: gzip or zlib, whichever it begins with; -15: deflate without either, as some servers send it.
    bits = -15 if coding == "deflate" and (body[0] & 15 != 8 or int.from_bytes(body[:2], "big") % 31) else 47
    while rest:
        inflate = zlib.decompressobj(bits)
        try:
            piece = inflate.decompress(rest, most + 1 - size)
        except zlib.error as error:
            if pieces:  # what follows the last part is no part: clients ignore it
                break
            raise MalformedAnswer(f"its {coding} coding cannot be read: {error}") from None
        pieces.append(piece)
        size += len(piece)
        if size > most:
            raise Cut(over(most))
        if not inflate.eof:
            raise MalformedAnswer(f"its {coding} coding ends too early")
        rest = inflate.unused_data
    return b"".join(pieces)


def text_of(body: bytes) -> str:
    """A body as it is compared and kept."""
    return body.decode("utf-8", "backslashreplace")


def over(most: int) -> str:
    """Why a body was cut."""
    return f"it has more than {most} bytes (scenario: load.max_body; check: --max-body)"


class Exchange:
    """A request and what became of it. Nothing that a server does raises: `result` has the fields of a RequestResult.

    Times are CLOCK_MONOTONIC. An answer that has not ended when its time is over is `open`, or `cut` if it was still
    coming: if its last byte came in the later half of that time."""

    def __init__(self, address: tuple[str, int], method: str, content: bytes, max_body: int) -> None:
        """`content`: what `request_bytes` returned."""
        self._address = address
        self._method = method
        self._content = content
        self._max_body = max_body
        self._socket: socket.socket | None = None
        self._buffer = bytearray()
        self._deadline: float | None = None
        self._last_piece: float | None = None
        self._abandoned = False
        self.result: dict[str, Any] = {}

    def connect(self, seconds: float = CONNECT_SECONDS) -> bool:
        """False: nobody accepts the connection."""
        try:
            self._socket = socket.create_connection(self._address, seconds)
        except OSError as error:
            self.result.update(failure="refused", body=str(error))
            return False
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return True

    def run(self, seconds: float | None = None) -> None:
        """Send the request, and read the response, for `seconds` at most, or until it is abandoned."""
        assert self._socket is not None
        result = self.result
        result["sent"] = sent = time.monotonic()
        self._deadline = None if seconds is None else sent + seconds
        self._socket.settimeout(seconds)
        try:
            self._send()
            self._receive()
        except Cut as cut:
            result.update(failure="cut", body=str(cut))
        except MalformedAnswer as malformed:
            result.update(failure="malformed", body=str(malformed), last_byte=time.monotonic())
        except TimeoutError:
            self._overdue()
        except (OSError, _ConnectionEnd, ValueError) as error:
            # A ValueError is gevent's, of a socket that was closed meanwhile.
            if self._abandoned:
                self._overdue()
            else:
                # Whoever has got a status has got an answer, though not all of it.
                begun = "status" in result
                result.update(failure="truncated" if begun else "reset", body=str(error))
                if begun:
                    result["last_byte"] = time.monotonic()

    def abandon(self) -> None:
        """End the exchange if its answer has not ended. To be called from another thread or greenlet."""
        if self.result.get("last_byte") is None:
            self._abandoned = True
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    self._socket.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _overdue(self) -> None:
        now = time.monotonic()
        sent = self.result["sent"]
        if self._last_piece is not None and self._last_piece - sent > (now - sent) / 2:
            self.result.update(failure="cut", body=f"it had not ended after {now - sent:.1f} s, and was still coming")
        else:
            self.result.update(failure="open", body="")
        self.result.pop("status", None)

    # -- on the wire ---------------------------------------------------------------------------------

    def _send(self) -> None:
        assert self._socket is not None
        # The server may have answered without reading all of it.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self._socket.sendall(self._content)

    def _receive(self) -> None:
        result = self.result
        status, fields = self._final_head()
        result["headers"] = kept_headers(fields)
        result["status"] = status
        has_body = not (self._method == "HEAD" or status in _NO_BODY)
        body = self._body(fields) if has_body else b""
        result["body"] = text_of(decoded(body, fields, self._max_body))
        result["last_byte"] = time.monotonic()

    def _more(self) -> None:
        """Wait for bytes. Raises _ConnectionEnd, OSError: the connection has ended; TimeoutError: the time is over."""
        assert self._socket is not None
        if self._deadline is not None:
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
        piece = self._socket.recv(_PIECE)
        if not piece:
            raise _ConnectionEnd("the server has closed the connection")
        self._last_piece = time.monotonic()
        self.result.setdefault("first_byte", self._last_piece)
        self._buffer += piece

    def _take(self, size: int) -> bytes:
        piece = bytes(self._buffer[:size])
        del self._buffer[:size]
        return piece

    def _final_head(self) -> tuple[int, Fields]:
        """The status and the headers of the response, after any interim ones (1xx)."""
        size = 0
        while True:
            looked = 0
            while (end := _END_OF_HEAD.search(self._buffer, looked)) is None:
                looked = max(0, len(self._buffer) - 3)
                if size + len(self._buffer) > MAX_HEAD:
                    raise Cut(f"its headers have more than {MAX_HEAD} bytes")
                if not b"HTTP/1.".startswith(self._buffer[:7]):
                    raise MalformedAnswer(f"it begins with {bytes(self._buffer[:40])!r} instead of a status line")
                self._more()
            size += end.end()
            status, fields = parsed_head(self._take(end.end())[: end.start()])
            if status >= 200 or status == 101:
                return status, fields

    def _body(self, fields: Sequence[tuple[str, str]]) -> bytes:
        codings = ", ".join(value for name, value in fields if name.lower() == "transfer-encoding").lower()
        if codings:
            return self._chunks() if codings.rpartition(",")[2].strip() == "chunked" else self._until_close()
        length = length_of(fields)
        if length is None:
            return self._until_close()
        if length > self._max_body:
            raise Cut(over(self._max_body))
        self._await(length, f"{length} bytes were announced")
        return self._take(length)

    def _await(self, size: int, what: str) -> None:
        """Read until there are so many bytes. Raises _ConnectionEnd: there are not; `what` was to come."""
        while len(self._buffer) < size:
            try:
                self._more()
            except _ConnectionEnd:
                came = f"{len(self._buffer)} came"
                raise _ConnectionEnd(f"{what}, {came}, then the server closed the connection") from None

    def _until_close(self) -> bytes:
        while len(self._buffer) <= self._max_body:
            try:
                self._more()
            except _ConnectionEnd:
                if self._abandoned:
                    raise
                return bytes(self._buffer)
        raise Cut(over(self._max_body))

    def _line(self) -> bytes:
        """A line of the chunked coding, without its end."""
        while (end := self._buffer.find(b"\n")) < 0:
            if len(self._buffer) > MAX_SIZE_LINE:
                raise MalformedAnswer("its chunked coding has a line without end")
            self._await(len(self._buffer) + 1, "another chunk was to come")
        return self._take(end + 1).rstrip(b"\r\n")

    def _chunks(self) -> bytes:
        body = bytearray()
        while True:
            line = self._line()
            match = _CHUNK_SIZE.fullmatch(line)
            if match is None:
                raise MalformedAnswer(f"its chunked coding has {line[:40]!r} for a size")
            size = int(match[1], 16)
            if len(body) + size > self._max_body:
                raise Cut(over(self._max_body))
            if not size:
                break
            self._await(size, f"a chunk of {size} bytes was announced")
            body += self._take(size)
            if self._line():
                raise MalformedAnswer("its chunked coding has a chunk of another size than it says")
        trailers = 0
        while line := self._line():
            trailers += len(line)
            if trailers > MAX_HEAD:
                raise Cut(f"its trailers have more than {MAX_HEAD} bytes")
        return bytes(body)


def parsed_head(head: bytes) -> tuple[int, Fields]:
    """The status and the header fields. Raises MalformedAnswer."""
    first, *lines = head.split(b"\n")
    match = _STATUS_LINE.fullmatch(first.rstrip(b"\r"))
    if match is None:
        raise MalformedAnswer(f"it begins with {first[:40]!r} instead of a status line")
    fields: Fields = []
    for line in lines:
        text = line.decode("latin-1").rstrip("\r")
        if text[:1] in (" ", "\t") and fields:  # a long value, continued as in former times
            fields[-1] = (fields[-1][0], f"{fields[-1][1]} {text.strip()}")
            continue
        name, colon, value = text.partition(":")
        if not colon or not name or name != name.strip():
            raise MalformedAnswer(f"it has {text[:40]!r} for a header")
        fields.append((name, value.strip(" \t")))
    return int(match[1]), fields


def length_of(fields: Iterable[tuple[str, str]]) -> int | None:
    """The announced length of the body. Raises MalformedAnswer: it is no number, or there are different ones."""
    given = {part.strip() for name, value in fields if name.lower() == "content-length" for part in value.split(",")}
    if not given:
        return None
    if len(given) > 1 or not all(_LENGTH.fullmatch(length) for length in given):
        raise MalformedAnswer(f"it has {', '.join(sorted(given))[:60]!r} for its length")
    return int(given.pop())
