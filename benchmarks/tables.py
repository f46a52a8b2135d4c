"""The tables that a benchmark prints, and keeps where they are quoted: results/README.md is tested against them."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

keep_option = click.option("--keep", type=click.Path(path_type=Path, dir_okay=False), help="write what is printed here")


def show(*tables: Table, keep: Path | None, width: int = 120) -> None:
    """Print tables of text, and keep them as JSON: for each its title, columns and rows."""
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
