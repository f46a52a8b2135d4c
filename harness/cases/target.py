"""What a request may ask for: one parser of paths, methods and bodies, whoever wrote them.

ASCII is sent as it is written, so that a path that no browser would send can be tried; other characters are
percent-encoded as UTF-8. What would make two requests of one, or is never sent, is refused.
"""

from __future__ import annotations

import re
from urllib.parse import quote

# No server takes a request line of this length: httpd takes 8 kB.
MAX_PATH = 65536
# An upload that a page is sent by a form, many times over; each user of a stampede sends one of its own.
MAX_REQUEST_BODY = 8 * 2**20
_UNSENDABLE = re.compile(r"[\x00-\x20\x7f]")
_ASCII = "".join(map(chr, range(0x21, 0x7F)))
_METHOD = re.compile(r"[A-Z]+")
# The harness makes these itself: what frames a message, and what the probe and the server's slots are asked by.
_OWN_HEADERS = ("content-length", "transfer-encoding")
_OWN_PREFIX = "x-harness-"


def parse_target(path: str) -> str:
    """A path with its query, as it is sent. Raises ValueError: it cannot be sent."""
    if not path.startswith("/"):
        more = "; the host is always the harness's own server on 127.0.0.1" if "://" in path else ""
        raise ValueError(f"path {_short(path)}: expected a '/' in front{more}")
    unsendable = _UNSENDABLE.search(path)
    if unsendable:
        code = quote(unsendable[0])
        raise ValueError(f"path {_short(path)}: {unsendable[0]!r} cannot stand in a request: write {code}")
    if "#" in path:
        raise ValueError(f"path {_short(path)}: what follows a '#' is never sent: leave it out, or write %23")
    # A lone surrogate is a byte of the command line that is no UTF-8.
    try:
        target = quote(path, safe=_ASCII, errors="surrogateescape")
    except UnicodeEncodeError:
        raise ValueError(f"path {_short(path)}: it has a character that is none of Unicode") from None
    if len(target) > MAX_PATH:
        raise ValueError(f"path {_short(path)}: it has {len(target)} characters, at most {MAX_PATH} are sent")
    return target


def check_method(method: str) -> str:
    """Raises ValueError: no method, or one of proxies."""
    if not _METHOD.fullmatch(method):
        raise ValueError(f"method {_short(method)}: expected capital letters, for example POST")
    if method == "CONNECT":
        raise ValueError("method CONNECT asks a proxy for a tunnel: no site answers it")
    return method


def check_body(body: str) -> str:
    """Raises ValueError: it is not UTF-8, or too long."""
    try:
        size = len(body.encode())
    except UnicodeEncodeError:
        raise ValueError("body: it has bytes that are not UTF-8, in which every body is sent") from None
    if size > MAX_REQUEST_BODY:
        raise ValueError(f"body: it has {size} bytes, at most {MAX_REQUEST_BODY} are sent")
    return body


def check_not_own(name: str) -> None:
    """Raises ValueError: the harness makes this header itself."""
    if name.lower() in _OWN_HEADERS or name.lower().startswith(_OWN_PREFIX):
        raise ValueError(f"header {name}: the harness makes it itself, so that every request is complete: leave it out")


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
