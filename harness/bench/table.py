"""A bench run as tables: headings and rows of text, for a terminal or Markdown alike."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from harness.bench.records import PHASES, Bench, Cell, SampleOutcome, Summary

# More sends than this late, of all: the rate was not kept well, and a reader has to know.
LATE_SHARE = 0.05
_LOST: tuple[SampleOutcome, ...] = ("dropped", "error", "wrong", "hung")


@dataclass(frozen=True)
class TextTable:
    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def tables(bench: Bench) -> tuple[TextTable, TextTable, TextTable]:
    """What was lost, the percentiles, and what a cold process costs by itself."""
    of_one = len({cell.scenario for cell in bench.cells}) == 1
    measured = [
        (cell.name.removeprefix(f"{cell.scenario}::") if of_one else cell.name, cell.summary)
        for cell in bench.cells
        if cell.summary is not None
    ]
    return (
        TextTable(
            f"{bench.rate:g} requests/s, a restart under load (ms: median, longest)",
            ("cell", "restarts", "requests", "dropped", "5xx", "wrong", "hung", "without a good answer",
             "first good answer", "a new process answers", "after its birth", "p95 back within 10 %"),
            tuple(
                (name, str(each.restarts), str(each.requests),
                 *(str(each.outcomes.get(outcome, 0)) for outcome in _LOST),
                 _pair(each.without_good_ms, each.without_good_worst_ms),
                 _pair(each.first_good_ms, each.first_good_worst_ms),
                 _number(each.first_new_ms), _number(each.start_ms), _number(each.recovered_ms))
                for name, each in measured
            ),
        ),
        TextTable(
            f"Latency from the intended send, ms (during: {bench.during_s:g} s from the restart)",
            ("cell", "phase", "requests", "answered", "p50", "p90", "p99", "p99.9", "max"),
            tuple(row for name, each in measured for row in _percentiles(name, each)),
        ),
        TextTable(
            "A cold process by itself, medians",
            ("cell", "first request, ms", "warm, ms", "first : warm", "CPU s to its end", "resident MiB"),
            tuple(
                (name, _number(each.first_ms), _number(each.warm_ms, 1), _number(each.first_over_warm),
                 _number(each.cpu_s, 2), _number(each.resident_mib))
                for name, each in measured
            ),
        ),
    )  # fmt: skip


def _percentiles(name: str, summary: Summary) -> list[tuple[str, ...]]:
    found = []
    for phase in summary.phases:
        latency = phase.latency
        columns = (latency.p50, latency.p90, latency.p99, latency.p999, latency.max)
        found.append(
            (
                name if phase.name == PHASES[0] else "",
                phase.name,
                str(phase.requests),
                str(latency.answered),
                *(_number(each, 1) for each in columns),
            )
        )
    return found


def _number(value: float | None, digits: int = 0) -> str:
    return "not in the cycle" if value is None else f"{value:.{digits}f}"


def _pair(median: float | None, worst: float | None) -> str:
    return _number(median) if median is None else f"{median:.0f}, {worst:.0f}"


def warnings(bench: Bench) -> list[str]:
    """What a reader of the tables has to know."""
    found = [f"{cell.name}: not measured: {cell.note}" for cell in bench.cells if cell.note]
    for cell in bench.cells:
        late, sent, worst = _late(cell)
        if late > LATE_SHARE * sent:
            found.append(
                f"{cell.name}: the load generator sent {late} of {sent} requests late (the worst {worst:.0f} ms): it "
                f"hardly keeps {bench.rate:g} requests/s here; lower --rate, or add --workers. Latencies count from "
                "the intended send all the same"
            )
    return found


def _late(cell: Cell) -> tuple[int, int, float]:
    return (
        sum(cycle.late_sends for cycle in cell.cycles),
        sum(len(cycle.samples.intended_s) for cycle in cell.cycles),
        max((cycle.worst_late_ms for cycle in cell.cycles), default=0.0),
    )


def rate_was_kept(bench: Bench) -> bool:
    return all(late <= LATE_SHARE * sent for late, sent, _ in map(_late, bench.cells))


def print_bench(console: Console, bench: Bench) -> None:
    for tabled in tables(bench):
        if not tabled.rows:
            continue
        table = Table(title=tabled.title, title_justify="left")
        for number, heading in enumerate(tabled.headings):
            table.add_column(heading, justify="left" if number == 0 else "right", no_wrap=number == 0)
        for row in tabled.rows:
            table.add_row(*row)
        console.print(table)
    for text in warnings(bench):
        console.print(text, markup=False, highlight=False, soft_wrap=True)
