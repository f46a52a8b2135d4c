"""A trial as a timeline: threads as lanes, requests and initialisation as bars. What is drawn; how is the template's.

All times are milliseconds since the stampede was released (of a control: since its first request).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Mark = Literal["", "bad", "twice", "failed"]

# Left free on either side of a view, as a share of its length: the first and the last bar do not touch the edge.
_MARGIN = 0.03
# Views whose lengths differ by less than this factor look alike: one of them is enough.
_ALIKE = 1.15


@dataclass(frozen=True)
class Bar:
    """A piece of work, or a request as its client saw it (`wait`)."""

    kind: str
    name: str
    begin: float
    end: float
    """Where it is drawn to; a bar that is `open` had not ended when the trial did."""
    row: int
    """Within its lane: 0 for requests, 1 and deeper for initialisation by its nesting."""
    thread: int
    open: bool = False
    mark: Mark = ""
    text: str = ""
    """The label of the bar, which a screen reader reads."""
    notes: tuple[str, ...] = ()
    evidence: tuple[str, ...] = ()
    """Lines of a traceback."""
    follow_up: bool = False
    """A request that was sent alone, after the stampede."""

    @property
    def length(self) -> float:
        return self.end - self.begin


@dataclass(frozen=True)
class Lane:
    """A thread of a process; or requests that no process recorded, as their client saw them."""

    title: str
    bars: tuple[Bar, ...]
    note: str = ""

    @property
    def bad(self) -> bool:
        return any(bar.mark == "bad" for bar in self.bars)

    @property
    def rows(self) -> int:
        return 1 + max((bar.row for bar in self.bars), default=0)


@dataclass(frozen=True)
class Group:
    """The lanes of one process."""

    title: str
    lanes: tuple[Lane, ...]


@dataclass(frozen=True)
class View:
    """A stretch of time to look at."""

    name: str
    begin: float
    end: float

    @property
    def length(self) -> float:
        return self.end - self.begin

    @property
    def ticks(self) -> list[float]:
        """Round numbers in the stretch: four to ten of them."""
        step = _round_step(self.length / 6)
        first = -int(-self.begin // step)
        return [round(step * number, 6) for number in range(first, int(self.end // step) + 1)]


@dataclass(frozen=True)
class Timeline:
    """One trial, laid out. `views[0]` is the one to begin with."""

    title: str
    groups: tuple[Group, ...]
    views: tuple[View, ...]
    left_out: int = 0
    """How many short pieces of initialisation are not drawn."""

    @property
    def bars(self) -> list[Bar]:
        return [bar for group in self.groups for lane in group.lanes for bar in lane.bars]

    @property
    def kinds(self) -> list[str]:
        """Kinds of bars, in the order in which they begin."""
        return list(dict.fromkeys(bar.kind for bar in sorted(self.bars, key=lambda bar: bar.begin)))

    @property
    def marks(self) -> set[Mark]:
        return {bar.mark for bar in self.bars}


def views_of(groups: Sequence[Group]) -> tuple[View, ...]:
    """The requests inside the process, the failure, and the whole trial; each only where it differs from the others."""
    bars = [bar for group in groups for lane in group.lanes for bar in lane.bars]
    if not bars:
        return (View("Whole trial", 0.0, 1.0),)
    whole = _view("Whole trial", bars)
    served = [bar for bar in bars if bar.kind == "request"]
    stampede = [bar for bar in served if not bar.follow_up]
    marked = [bar for bar in bars if bar.mark and not bar.open]
    views: list[View] = []
    for view in (
        *([_view("Requests", stampede)] if stampede else []),
        *([_view("What went wrong", marked)] if marked else []),
        whole,
    ):
        lengths = [sorted((view.length, other.length)) for other in views]
        if not any(long < _ALIKE * short for short, long in lengths):
            views.append(view)
    return tuple(views)


def _view(name: str, bars: Sequence[Bar]) -> View:
    begin, end = min(bar.begin for bar in bars), max(bar.end for bar in bars)
    margin = _MARGIN * max(end - begin, 0.1)
    return View(name, round(begin - margin, 3), round(end + margin, 3))


def _round_step(at_least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below it."""
    step = 0.001
    while True:
        for factor in (1, 2, 5):
            if factor * step >= at_least:
                return factor * step
        step *= 10
