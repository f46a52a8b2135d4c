"""A bench run as one HTML page: what a restart costs, the comparison, and latency over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.bench.records import PHASES, Bench, Cell, Cycle
from harness.bench.summary import phase_of, rows
from harness.bench.table import tables, warnings
from harness.report.page import FILE, Headline, render_page, write_page

# Answers that are drawn of a page at most; 12 bytes each. Of neighbours in time the slowest is drawn.
MOST_POINTS = 24_000
# Points of a percentile curve: so many for each further nine.
_STEPS = 8


@dataclass(frozen=True)
class Chart:
    """One cell over time: all its cycles, one over the other, in seconds from the first restart of each."""

    title: str
    note: str
    """Why there is nothing to draw; else empty."""
    alt: str
    data: dict[str, Any]


def write_bench_html(directory: Path, bench: Bench) -> Path:
    """Write `report.html` into the directory of a stored bench run: its path. Raises BadInput."""
    return write_page(directory / FILE, render(bench))


def render(bench: Bench) -> str:
    """The page of a bench run."""
    room = MOST_POINTS // max(1, sum(bool(cell.cycles) for cell in bench.cells))
    return render_page(
        "bench.html.j2",
        headline(bench),
        scripts=["uplot/uPlot.iife.min.js", "bench.js"],
        styles=["report.css", "uplot/uPlot.min.css", "bench.css"],
        run=bench,
        tables=[each for each in tables(bench) if each.rows],
        warnings=warnings(bench),
        charts=[_chart(cell, room) for cell in bench.cells],
        curves=[each for name in PHASES if (each := _curves(name, bench))["nines"]],
        licence="uPlot (c) 2022 Leon Sorokin, MIT licence",
    )


def headline(bench: Bench) -> Headline:
    """What the restarts cost, in a title and a sentence. A bench run judges nothing: the gate does."""
    measured = [(cell, cell.summary) for cell in bench.cells if cell.summary is not None]
    cut = "The run was interrupted; this is what it kept. " if bench.status != "complete" else ""
    if not measured:
        return Headline("open", "Nothing was measured", cut + "; ".join(cell.note for cell in bench.cells if cell.note))
    gaps = sorted((each.without_good_ms, cell.name) for cell, each in measured if each.without_good_ms is not None)
    lost = sum(count for _, each in measured for name, count in each.outcomes.items() if name != "ok")
    asked = sum(each.requests for _, each in measured)
    restarts = sum(each.restarts for _, each in measured)
    told = f"{cut}{restarts} restarts under {bench.rate:g} requests/s: {lost} of {asked} requests got no good answer."
    never = [cell.name for cell, each in measured if each.without_good_ms is None]
    if never:
        return Headline("plain", f"No good answer came after a restart of {', '.join(never)}", told)
    (best, name), (worst, last) = gaps[0], gaps[-1]
    if len(gaps) == 1:
        return Headline("plain", f"A restart leaves users {best:.0f} ms without a good answer", told)
    title = f"A restart leaves users {best:.0f} to {worst:.0f} ms without a good answer"
    return Headline("plain", title, f"Least: {name}. Most: {last}. Medians over the restarts of each. {told}")


def _chart(cell: Cell, room: int) -> Chart:
    points = sorted(point for cycle in cell.cycles for point in _points(cycle))
    kept = list(_thin(points, room))
    restarts = sorted({round(at - cycle.restarts_s[0], 2) for cycle in cell.cycles for at in cycle.restarts_s})
    lost = sum(outcome != "ok" for _, _, outcome in points)
    slowest = max((latency for _, latency, _ in points if latency is not None), default=None)
    alt = (
        f"Latency over time of {cell.name}: {len(points)} requests in {len(cell.cycles)} cycles, {lost} of them "
        f"without a good answer" + (f", the slowest answered after {slowest:.0f} ms" if slowest is not None else "")
    )
    return Chart(
        title=cell.name,
        note=cell.note if not points else "",
        alt=alt,
        data={
            "at": [at for at, _, _ in kept],
            "ok": [latency if outcome == "ok" else None for _, latency, outcome in kept],
            "bad": [latency if outcome != "ok" else None for _, latency, outcome in kept],
            "lost": [latency is None for _, latency, _ in kept],
            "outcome": [outcome if outcome != "ok" else "" for _, _, outcome in kept],
            "restarts": restarts,
            "drawn": [len(kept), len(points)],
        },
    )


def _points(cycle: Cycle) -> Iterable[tuple[float, float | None, str]]:
    samples = cycle.samples
    zero = cycle.restarts_s[0] if cycle.restarts_s else 0.0
    for at, latency, outcome in zip(samples.intended_s, samples.latency_ms, samples.outcome, strict=True):
        yield _Point((round(at - zero, 3), None if latency is None else round(latency, 1), outcome))


class _Point(tuple[float, float | None, str]):
    """Ordered by time alone: a latency may be None."""

    def __lt__(self, other: tuple[float, float | None, str]) -> bool:  # type: ignore[override]
        return self[0] < other[0]


def _thin(points: Sequence[tuple[float, float | None, str]], most: int) -> Iterable[tuple[float, float | None, str]]:
    """At most about so many points. Of neighbours in time the slowest stays, and so does all that was not answered."""
    size = -(-len(points) // max(1, most))
    if size <= 1:
        yield from points
        return
    for begin in range(0, len(points), size):
        chunk = points[begin : begin + size]
        slowest = max(chunk, key=lambda each: -1.0 if each[1] is None else each[1])
        yield from (each for each in chunk if each is slowest or each[2] != "ok")


def _curves(phase: str, bench: Bench) -> dict[str, Any]:
    """Percentile curves of a phase, a line for each cell. x is how many nines: 1 is p90, 2 is p99."""
    lines = {cell.name: _curve(sorted(_latencies(cell, phase, bench.during_s))) for cell in bench.cells if cell.cycles}
    longest = max((len(line) for line in lines.values()), default=0)
    return {
        "phase": phase,
        "nines": [round(step / _STEPS, 4) for step in range(longest)],
        "lines": [{"name": name, "ms": line + [None] * (longest - len(line))} for name, line in lines.items()],
    }


def _latencies(cell: Cell, phase: str, during_s: float) -> Iterable[float]:
    """Of the answered requests of a phase."""
    for cycle in cell.cycles:
        for sample in rows(cycle):
            if sample.latency_ms is not None and phase_of(sample, during_s) == phase:
                yield sample.latency_ms


def _curve(ordered: Sequence[float]) -> list[float | None]:
    """Nearest-rank percentiles 1 - 10^-x, as far as there are answers to tell them apart."""
    found: list[float | None] = []
    step = 0
    while ordered and 10 ** (step / _STEPS) <= len(ordered):
        rank = min(len(ordered) - 1, int(len(ordered) * (1 - 10 ** (-step / _STEPS))))
        found.append(round(ordered[rank], 2))
        step += 1
    return found
