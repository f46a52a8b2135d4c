"""A bench run as one HTML page: what a restart costs, the comparison, and latency over time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from harness.bench.records import PHASES, Bench, Cell, Cycle, PhaseName
from harness.bench.summary import Sample, phase_of, rows
from harness.bench.table import tables, warnings
from harness.report.headline import bench_headline
from harness.report.page import render_page

# On all charts of a page: at 24 bytes each that is about 600 kB, which a browser draws at once.
MOST_POINTS = 24_000
# Points of a percentile curve for each nine: of a curve up to p99.99 they lie some 35 pixels apart, smooth to the eye.
_STEPS = 8


def render(bench: Bench) -> str:
    """The page of a bench run."""
    room = MOST_POINTS // max(1, sum(bool(cell.cycles) for cell in bench.cells))
    curves = [_curves(phase, bench) for phase in PHASES]
    return render_page(
        "bench.html.j2",
        bench_headline(bench),
        scripts=["uplot/uPlot.iife.min.js", "bench.js"],
        styles=["report.css", "uplot/uPlot.min.css", "bench.css"],
        run=bench,
        tables=[table for table in tables(bench) if table.rows],
        warnings=warnings(bench),
        charts=[_chart(cell, room) for cell in bench.cells],
        curves=[curve for curve in curves if curve["nines"]],
        licence="uPlot (c) 2022 Leon Sorokin, MIT licence",
    )


def _chart(cell: Cell, room: int) -> dict[str, Any]:
    """One cell over time: its cycles on top of each other, in seconds from the first restart of each."""
    points = sorted((point for cycle in cell.cycles for point in _points(cycle)), key=lambda point: point.intended)
    drawn = list(_thin(points, room))
    restarts = sorted({round(at - cycle.restarts_s[0], 2) for cycle in cell.cycles for at in cycle.restarts_s})
    lost = sum(point.outcome != "ok" for point in points)
    slowest = max((point.latency_ms for point in points if point.latency_ms is not None), default=None)
    alt = (
        f"Latency over time of {cell.name}: {len(points)} requests in {len(cell.cycles)} cycles, {lost} of them "
        f"without a good answer" + (f", the slowest answered after {slowest:.0f} ms" if slowest is not None else "")
    )
    return {
        "title": cell.name,
        "note": cell.note if not points else "",
        "alt": alt,
        "data": {
            "at": [point.intended for point in drawn],
            "ok": [point.latency_ms if point.outcome == "ok" else None for point in drawn],
            "bad": [point.latency_ms if point.outcome != "ok" else None for point in drawn],
            "lost": [point.latency_ms is None for point in drawn],
            "outcome": [point.outcome if point.outcome != "ok" else "" for point in drawn],
            "restarts": restarts,
            "drawn": [len(drawn), len(points)],
        },
    }


def _points(cycle: Cycle) -> Iterable[Sample]:
    """The samples of a cycle, in seconds from its first restart, as exact as a chart can show."""
    zero = cycle.restarts_s[0] if cycle.restarts_s else 0.0
    for sample in rows(cycle):
        latency_ms = sample.latency_ms and round(sample.latency_ms, 1)
        yield replace(sample, intended=round(sample.intended - zero, 3), latency_ms=latency_ms)


def _thin(points: Sequence[Sample], most: int) -> Iterable[Sample]:
    """About `most` of the points: of neighbours in time the slowest, and each without a good answer."""
    size = -(-len(points) // max(1, most))
    if size <= 1:
        yield from points
        return
    for begin in range(0, len(points), size):
        chunk = points[begin : begin + size]
        slowest = max(chunk, key=lambda point: -1.0 if point.latency_ms is None else point.latency_ms)
        yield from (point for point in chunk if point is slowest or point.outcome != "ok")


def _curves(phase: PhaseName, bench: Bench) -> dict[str, Any]:
    """Percentile curves of a phase, a line for each cell. x is how many nines: 1 is p90, 2 is p99."""
    lines = {cell.name: _curve(sorted(_latencies(cell, phase, bench.during_s))) for cell in bench.cells if cell.cycles}
    longest = max((len(line) for line in lines.values()), default=0)
    return {
        "phase": phase,
        "nines": [round(step / _STEPS, 4) for step in range(longest)],
        "lines": [{"name": name, "ms": line + [None] * (longest - len(line))} for name, line in lines.items()],
    }


def _latencies(cell: Cell, phase: PhaseName, during_s: float) -> Iterable[float]:
    """The latencies of a phase, of its answered requests."""
    for cycle in cell.cycles:
        for sample in rows(cycle):
            if sample.latency_ms is not None and phase_of(sample, during_s) == phase:
                yield sample.latency_ms


def _curve(ordered: Sequence[float]) -> list[float | None]:
    """Nearest-rank percentiles 1 - 10^-x, up to the last that the number of answers supports."""
    curve: list[float | None] = []
    step = 0
    while ordered and 10 ** (step / _STEPS) <= len(ordered):
        rank = min(len(ordered) - 1, int(len(ordered) * (1 - 10 ** (-step / _STEPS))))
        curve.append(round(ordered[rank], 2))
        step += 1
    return curve
