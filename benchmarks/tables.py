"""The tables that a benchmark prints and, with --keep, writes to a file: results/README.md is tested against those."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

keep_option = click.option(
    "--keep", type=click.Path(path_type=Path, dir_okay=False), help="write the table here too, as JSON"
)


def show(*tables: Table, keep: Path | None, width: int = 120) -> None:
    """Print tables of text, and write them to a file as JSON: title, columns and rows of each."""
    console = Console(width=width)
    for table in tables:
        console.print(table)
    if keep is not None:
        kept = [
            {
                "title": str(table.title),
                "columns": [str(column.header) for column in table.columns],
                "rows": list(zip(*([str(cell) for cell in column.cells] for column in table.columns), strict=True)),
            }
            for table in tables
        ]
        keep.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
