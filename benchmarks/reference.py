"""What results/README.md quotes of stored runs: a line of JSON for each case, or each cell of a bench run.

    python -m benchmarks.reference results/reference/bootstrap.jsonl RUN...

Where several runs have a case, the last one counts. The runs themselves hold every trial: too much for the repository.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import msgspec

from harness.bench.journal import read_bench
from harness.store.runs import is_bench, stored_run

RESULTS = Path("results")
OF_CASE = (
    "case", "scenario", "site", "script", "schedule", "trials", "effective_trials", "bad_trials", "outcomes",
    "lazy_in_request", "verdict", "race_class", "broken_class", "met", "versions",
)  # fmt: skip


def cases_of(directory: Path) -> list[dict[str, Any]]:
    """The cases of a run without their findings; of their lazy work what took longest."""
    cases = []
    for case in msgspec.json.decode((directory / "result.json").read_bytes())["cases"]:
        longest = max(case["hazards"], key=lambda hazard: hazard["max_ms"], default=None)
        kept = {key: case[key] for key in OF_CASE}
        kept["mode"] = case["hosting"]["mode"]
        kept["longest"] = longest and {key: longest[key] for key in ("kind", "max_ms", "max_waiters")}
        cases.append(kept)
    return cases


def cells_of(directory: Path) -> list[dict[str, Any]]:
    """The cells of a bench run, without the requests."""
    return [
        {"cell": cell.name, "versions": cell.versions, "summary": msgspec.to_builtins(cell.summary)}
        for cell in read_bench(directory).cells
        if cell.summary is not None
    ]


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("runs", nargs=-1, required=True)
def main(file: Path, runs: tuple[str, ...]) -> None:
    """Write FILE anew from RUNS."""
    lines: dict[str, dict[str, Any]] = {}
    for run in runs:
        directory = stored_run(run, RESULTS)
        if is_bench(directory):
            lines |= {cell["cell"]: cell for cell in cells_of(directory)}
        else:
            lines |= {case["case"]: case for case in cases_of(directory)}
    file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in lines.values()))
    click.echo(f"{file}: {len(lines)} lines")


if __name__ == "__main__":
    main()
