"""Mends where an httpd looks for its libraries.

An httpd that was built by pip names pip's temporary build directory in its files (DT_RUNPATH or DT_RPATH). That
directory is gone, so that httpd starts only where the system happens to have the same libraries; and where it lies in
/tmp, any user of the machine can make it anew, with libraries of his own. The path is replaced by one relative to the
file itself, so nothing has to be in the environment, which the site's processes would inherit.
"""

from __future__ import annotations

import struct
from pathlib import Path

from harness.errors import InfrastructureError

# elf(5): where the fields are, for 32 and for 64 bits: struct formats of what is read here.
_PROGRAM_HEADERS = {1: ("I", 28, "HH", 42), 2: ("Q", 32, "HH", 54)}
_SEGMENT = {1: "IIIIIIII", 2: "IIQQQQQQ"}
_DYNAMIC = {1: "iI", 2: "qQ"}
_PT_LOAD, _PT_DYNAMIC = 1, 2
_DT_NULL, _DT_STRTAB, _DT_RPATH, _DT_RUNPATH = 0, 5, 15, 29


def mend(server: Path) -> None:
    """Let the program, libraries and modules of an httpd's directory find `lib` beside them, wherever that is.

    Raises InfrastructureError: a file names a shorter path than the new one, or cannot be written."""
    for pattern, run_path in (
        ("bin/*", "$ORIGIN/../lib"),
        ("lib/*.so*", "$ORIGIN"),
        ("modules/*.so", "$ORIGIN/../lib"),
    ):
        for file in sorted(server.glob(pattern)):
            if file.is_file() and not file.is_symlink():
                set_run_path(file, run_path)


def set_run_path(file: Path, run_path: str) -> bool:
    """Replace the run path of an ELF file that has one. False: it has none. Raises InfrastructureError."""
    try:
        content = bytearray(file.read_bytes())
        places = _run_paths(content)
        wanted = run_path.encode()
        for place in places:
            end = content.index(0, place)
            if end - place < len(wanted):
                raise InfrastructureError(f"{file}: its run path cannot be mended: no room for {run_path}")
            content[place:end] = wanted.ljust(end - place, b"\0")
        if places:
            # Whole or not at all; and never in place, where the file may be shared with pip's or uv's own cache.
            new = file.with_name(f".{file.name}.mended")
            new.write_bytes(content)
            new.chmod(file.stat().st_mode)
            new.replace(file)
    except OSError as error:
        raise InfrastructureError(f"{file}: its run path cannot be mended: {error.strerror}") from error
    return bool(places)


def _run_paths(content: bytearray) -> list[int]:
    """The offsets of the run paths in an ELF file; empty for any other file."""
    if content[:4] != b"\x7fELF" or content[4] not in _SEGMENT or content[5] not in (1, 2):
        return []
    size, order = content[4], "<" if content[5] == 1 else ">"
    pointer, pointer_at, counts, counts_at = _PROGRAM_HEADERS[size]
    try:
        (begin,) = struct.unpack_from(order + pointer, content, pointer_at)
        length, count = struct.unpack_from(order + counts, content, counts_at)
        segments = [_segment(content, order, size, begin + length * number) for number in range(count)]
        entries = []
        for kind, offset, _, extent in segments:
            if kind == _PT_DYNAMIC:
                entries += _dynamic(content, order, size, offset, extent)
        strings = next(value for tag, value in entries if tag == _DT_STRTAB)
        table = next(
            offset + strings - address
            for kind, offset, address, extent in segments
            if kind == _PT_LOAD and address <= strings < address + extent
        )
    except (struct.error, StopIteration):
        return []
    return sorted({table + value for tag, value in entries if tag in (_DT_RPATH, _DT_RUNPATH)})


def _segment(content: bytearray, order: str, size: int, at: int) -> tuple[int, int, int, int]:
    """Kind, offset in the file, address in memory, and length in the file of a segment."""
    fields = struct.unpack_from(order + _SEGMENT[size], content, at)
    if size == 1:
        return fields[0], fields[1], fields[2], fields[4]
    return fields[0], fields[2], fields[3], fields[5]


def _dynamic(content: bytearray, order: str, size: int, offset: int, extent: int) -> list[tuple[int, int]]:
    """Tags and values of the dynamic section."""
    entry = order + _DYNAMIC[size]
    pairs = []
    for at in range(offset, offset + extent, struct.calcsize(entry)):
        tag, value = struct.unpack_from(entry, content, at)
        if tag == _DT_NULL:
            break
        pairs.append((tag, value))
    return pairs
