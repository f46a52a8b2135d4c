"""A bench run as tables: headings and rows of text, for a terminal or Markdown alike."""

from __future__ import annotations

from dataclasses import dataclass

from harness.bench.records import PHASES, Bench, Cell, SampleOutcome, Summary

# With a larger share of late sends p95 may be the load generator's own lateness, which a reader has to know.
LATE_SHARE = 0.05
_LOST: tuple[SampleOutcome, ...] = ("dropped", "error", "wrong", "hung")


@dataclass(frozen=True)
class TextTable:
    """A table of text, without a form yet."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(bench: Bench) -> tuple[TextTable, ...]:
    """What was lost, the percentiles, and what a cold process costs by itself."""
    one_scenario = len({cell.scenario for cell in bench.cells}) == 1
    measured = [
        (cell.name.removeprefix(f"{cell.scenario}::") if one_scenario else cell.name, cell.summary)
        for cell in bench.cells
        if cell.summary is not None
    ]
    return (
        TextTable(
            f"{bench.rate:g} requests/s, a restart under load (ms: median, longest)",
            ("cell", "restarts", "requests", "dropped", "5xx", "wrong", "hung", "without a good answer",
             "first good answer", "a new process answers", "after its start", "p95 back within 10 %"),
            tuple(
                (name, str(summary.restarts), str(summary.requests),
                 *(str(summary.outcomes.get(outcome, 0)) for outcome in _LOST),
                 _pair(summary.without_good_ms, summary.without_good_worst_ms),
                 _pair(summary.first_good_ms, summary.first_good_worst_ms),
                 _number(summary.first_new_ms), _number(summary.start_ms), _number(summary.recovered_ms))
                for name, summary in measured
            ),
        ),
        TextTable(
            f"Latency from the intended send, ms (during: {bench.during_s:g} s from the restart)",
            ("cell", "phase", "requests", "answered", "p50", "p90", "p99", "p99.9", "max"),
            tuple(row for name, summary in measured for row in _percentiles(name, summary)),
        ),
        TextTable(
            "A cold process by itself, medians",
            ("cell", "first request, ms", "warm, ms", "first : warm", "CPU s to its end", "resident MiB"),
            tuple(
                (name, _number(summary.first_ms), _number(summary.warm_ms, 1), _number(summary.first_over_warm),
                 _number(summary.cpu_s, 2), _number(summary.resident_mib))
                for name, summary in measured
            ),
        ),
    )  # fmt: skip


def _percentiles(name: str, summary: Summary) -> list[tuple[str, ...]]:
    rows = []
    for phase in summary.phases:
        latency = phase.latency
        columns = (latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
        numbers = [str(phase.requests), str(latency.answered), *(_number(value, 1) for value in columns)]
        rows.append((name if phase.name == PHASES[0] else "", phase.name, *numbers))
    return rows


def _number(value: float | None, digits: int = 0) -> str:
    return "not in the cycle" if value is None else f"{value:.{digits}f}"


def _pair(median: float | None, worst: float | None) -> str:
    return _number(median) if median is None else f"{median:.0f}, {worst:.0f}"


def warnings(bench: Bench) -> list[str]:
    """What a reader of the tables has to know."""
    sentences = []
    if bench.status != "complete":
        planned = f" of {bench.planned_cycles}" if bench.cycles else ""
        sentences.append(f"interrupted after {bench.made_cycles}{planned} cycles")
    sentences += [f"{cell.name}: not measured: {cell.note}" for cell in bench.cells if cell.note]
    for cell in bench.cells:
        if not _kept_rate(cell):
            worst = max(cycle.worst_late_ms for cycle in cell.cycles)
            sentences.append(
                f"{cell.name}: the load generator sent {_late(cell)} of {_sent(cell)} requests late (the worst by "
                f"{worst:.0f} ms): it hardly keeps {bench.rate:g} requests/s here; lower --rate, or add --workers. "
                "Latencies count from the intended send all the same"
            )
    return sentences


def rate_was_kept(bench: Bench) -> bool:
    return all(map(_kept_rate, bench.cells))


def exit_code(bench: Bench) -> int:
    """0: complete, and something was measured at the rate that was asked for; else 3."""
    return 0 if bench.status == "complete" and bench.made_cycles and rate_was_kept(bench) else 3


def _kept_rate(cell: Cell) -> bool:
    return _late(cell) <= LATE_SHARE * _sent(cell)


def _late(cell: Cell) -> int:
    return sum(cycle.late_sends for cycle in cell.cycles)


def _sent(cell: Cell) -> int:
    return sum(len(cycle.samples.intended_s) for cycle in cell.cycles)
