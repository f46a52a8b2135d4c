"""How long it takes to learn what is volatile in an answer, by the size of the answer.

    python -m benchmarks.volatile_text

Two samples of a page with one token, of JSON whose every value differs, and of such JSON with a record more: the CPU
time of the fastest of several rounds, and the time for each kB, which stays as it is where growth is a straight line.
"""

from __future__ import annotations

import json
import random
import string
import time
from collections.abc import Callable
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import keep_option, show
from harness.checkers.template import Template

SIZES = (2_000, 8_000, 64_000, 256_000, 1_000_000)
ROUNDS = 5
RECORD = 74  # characters of one of the records below
ROW = 45


def page(size: int, draw: random.Random, _: int) -> str:
    rows = (f"<tr><td>{number}</td><td class='x'>row {number % 13}</td></tr>" for number in range(size // ROW))
    return "".join(rows) + "".join(draw.choices(string.ascii_letters, k=32)) + "<p>end</p>"


def records(size: int, draw: random.Random, _: int) -> str:
    return json.dumps([record(draw) for _ in range(size // RECORD)])


def more_records(size: int, draw: random.Random, number: int) -> str:
    return json.dumps([record(draw) for _ in range(size // RECORD + number)])


def record(draw: random.Random) -> dict[str, object]:
    name = "".join(draw.choices(string.ascii_letters, k=8))
    return {"id": draw.randrange(10**6), "name": name, "ok": draw.random() < 0.5, "price": draw.random()}


KINDS: dict[str, Callable[[int, random.Random, int], str]] = {
    "page, one token": page,
    "JSON, all values": records,
    "JSON, a record more": more_records,
}


def cpu_seconds(samples: list[str]) -> float:
    begin = time.process_time()
    Template.of(samples)
    return time.process_time() - begin


@click.command()
@keep_option
def main(keep: Path | None) -> None:
    """Print CPU time by kind and size."""
    table = Table("what", "kB", "ms", "ms for each kB", "masks", title="learning what is volatile")
    for what, make in KINDS.items():
        for size in SIZES:
            samples = [make(size, random.Random(number), number) for number in range(2)]
            took = min(cpu_seconds(samples) for _ in range(ROUNDS))
            kilobytes = len(samples[0]) / 1000
            table.add_row(
                what,
                f"{kilobytes:.0f}",
                f"{1000 * took:.1f}",
                f"{1000 * took / kilobytes:.2f}",
                str(Template.of(samples).masks),
            )
    show(table, keep=keep)


if __name__ == "__main__":
    main()
