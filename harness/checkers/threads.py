"""Numbers threads: a story, its evidence and a timeline give a thread the same number."""

from __future__ import annotations

from harness.records import Inside


def number_threads(inside: Inside) -> dict[int, int]:
    """The number of each thread of a process: 1 for the first that was seen, and so on."""
    numbers: dict[int, int] = {}
    for span in sorted(inside.spans, key=lambda span: span.begin):
        numbers.setdefault(span.thread, len(numbers) + 1)
    return numbers
