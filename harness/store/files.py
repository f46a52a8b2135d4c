"""Writes the files of a run whole or not at all."""

from __future__ import annotations

from pathlib import Path

from harness.errors import BadInput


def write_whole(path: Path, content: bytes, what: str = "it") -> Path:
    """Write a file whole or not at all; returns its path. Raises BadInput, whose message has `what` as its subject."""
    temporary = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        temporary.replace(path)
    except OSError as error:
        raise BadInput(f"{path}: {what} cannot be written: {error.strerror}") from error
    return path
