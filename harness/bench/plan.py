"""The cells of a bench run, their load, and the order of their cycles. Pure functions."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cases.case import Case
from harness.cases.expand import expand
from harness.cases.scenario import DAEMON_RESTARTS, EMBEDDED_RESTARTS, Expectation, Scenario
from harness.errors import BadInput
from harness.hosting.host import REPLACEMENT_SECONDS
from harness.records import Mode, RestartMethod

# A bench run has no verdict: it measures whatever a script does.
_ANYTHING = Expectation(verdict=["clean", "hazard", "race", "broken", "inconclusive"], outcomes={})
METHODS: dict[Mode, tuple[RestartMethod, ...]] = {
    "daemon": DAEMON_RESTARTS,
    # A reload keeps the interpreter: it is no cold start.
    "embedded": tuple(method for method in EMBEDDED_RESTARTS if method != "reload"),
}
# Requests before the restart and at the end: with fewer there is no p95, which is the 20th of 20.
_FEWEST_REQUESTS = 20


@dataclass(frozen=True)
class RestartLoad:
    """The load of a cycle: `rate` requests a second, evenly spaced, with one or more restarts under it."""

    rate: float
    restarts_at: tuple[float, ...]
    """Seconds from the begin of the load."""
    during_s: float
    """How long after a restart requests count as sent during it."""
    after_s: float
    """How long the load goes on after that."""

    @property
    def seconds(self) -> float:
        return self.restarts_at[-1] + self.during_s + self.after_s

    @property
    def count(self) -> int:
        return int(self.rate * self.seconds)

    def shifted(self, seconds: float) -> RestartLoad:
        """The same load with its restarts `seconds` later."""
        return dataclasses.replace(self, restarts_at=tuple(at + seconds for at in self.restarts_at))


def shifts(cycles: int, seed: int) -> list[float]:
    """By how much each cycle's restarts are delayed: spread evenly over a tick, in an order by the seed.

    Restarts that always came at the same phase of the tick would make a cell quick or slow by luck, cycle after cycle.
    """
    delays = [REPLACEMENT_SECONDS * (number + 0.5) / cycles for number in range(cycles)]
    random.Random(f"{seed}.shifts").shuffle(delays)
    return delays


def check_load(load: RestartLoad) -> RestartLoad:
    """The load. Raises BadInput: its restarts overlap, or it has too few requests for a p95."""
    at = load.restarts_at
    if list(at) != sorted(at) or any(later - earlier < load.during_s for earlier, later in itertools.pairwise(at)):
        raise BadInput(
            f"--restart-at {', '.join(f'{second:g}' for second in at)}: expected in order, and {load.during_s:g} s "
            "(--during) or more apart"
        )
    if load.rate * min(at[0], load.after_s) < _FEWEST_REQUESTS:
        raise BadInput(
            f"--rate {load.rate:g}: fewer than {_FEWEST_REQUESTS} requests before the restart (--restart-at {at[0]:g}) "
            f"or at the end (--after {load.after_s:g}), too few for a p95; raise one of them"
        )
    return load


@dataclass(frozen=True)
class Variation:
    """What a comparison varies; where nothing is given, the scenario decides."""

    scripts: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()
    restarts: tuple[RestartMethod, ...] = ()
    processes: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    preload: tuple[bool, ...] = (False,)


def cells_of(
    scenario: Scenario, path: Path, sites: Path, vary: Variation, *, runtime: str | None = None
) -> list[tuple[str, Case]]:
    """Each cell of the comparison, with its name. Raises BadInput: there is no such script, or the mode does not have
    the restart method."""
    restarts = vary.restarts or (scenario.restart,)
    modes = vary.modes or tuple(scenario.modes)
    for restart in restarts:
        if restart == "reload":
            raise BadInput("restart 'reload' keeps the interpreter: there is no cold start to measure")
        lacking = [mode for mode in modes if restart not in METHODS[mode]]
        if lacking and (vary.modes or len(lacking) == len(modes)):
            raise BadInput(
                f"restart {restart!r} does not exist in {lacking[0]} mode (there: {', '.join(METHODS[lacking[0]])})"
            )
    varied = scenario.model_copy(
        update={
            "scripts": list(vary.scripts) or scenario.scripts,
            "modes": list(modes),
            "schedules": ["natural"],
            "expect": [_ANYTHING],
        }
    )
    cells = []
    for case, restart, processes, threads, preload in itertools.product(
        expand(varied, path, sites, runtime=runtime),
        restarts,
        vary.processes or (None,),
        vary.threads or (None,),
        vary.preload,
    ):
        if restart not in METHODS[case.mode]:
            continue
        cell = case.model_copy(
            update={
                "restart": restart,
                "preload": preload,
                "processes": processes or case.processes,
                "threads": threads or case.threads,
            }
        )
        cells.append((_name(cell, vary), cell))
    return cells


def _name(case: Case, vary: Variation) -> str:
    parts = [case.scenario, case.mode, case.script, case.restart]
    if len(vary.processes) > 1:
        parts.append(f"{case.processes} process{'es' if case.processes > 1 else ''}")
    if len(vary.threads) > 1:
        parts.append(f"{case.threads} threads")
    if case.preload:
        parts.append("preload")
    return "::".join(parts)


def interleave(cells: int, cycles: int, seed: int) -> Iterator[tuple[int, Sequence[int]]]:
    """The rounds, numbered from 1, each with the order of the cells in it: shuffled by the seed."""
    for number in range(1, cycles + 1):
        order = list(range(cells))
        random.Random(f"{seed}.{number}").shuffle(order)
        yield number, order
