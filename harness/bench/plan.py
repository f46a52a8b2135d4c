"""What a bench run does, and in which order. Pure functions."""

from __future__ import annotations

import dataclasses
import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.cases.case import Case
from harness.cases.expand import expand
from harness.cases.scenario import (
    DAEMON_RESTARTS,
    EMBEDDED_RESTARTS,
    Expectation,
    Scenario,
)
from harness.errors import BadInput
from harness.hosting.host import REPLACEMENT_SECONDS
from harness.records import Mode, RestartMethod

# Bench judges no verdict: whatever a script does is what is measured.
_ANYTHING = Expectation(verdict=["clean", "hazard", "race", "broken", "inconclusive"], outcomes={})
METHODS: dict[Mode, tuple[RestartMethod, ...]] = {
    "daemon": DAEMON_RESTARTS,
    # A reload leaves the interpreter as it is: it is no cold start.
    "embedded": tuple(each for each in EMBEDDED_RESTARTS if each != "reload"),
}


@dataclass(frozen=True)
class RestartLoad:
    """A cycle's load: `rate` requests a second, restarts at these seconds, and so long afterwards."""

    rate: float
    restarts_at: tuple[float, ...]
    during_s: float
    after_s: float

    @property
    def seconds(self) -> float:
        return self.restarts_at[-1] + self.during_s + self.after_s

    @property
    def count(self) -> int:
        return int(self.rate * self.seconds)

    def shifted(self, seconds: float) -> RestartLoad:
        """The same, with its restarts so much later."""
        return dataclasses.replace(self, restarts_at=tuple(each + seconds for each in self.restarts_at))


def shifts(cycles: int, seed: int) -> list[float]:
    """By how much each cycle's restarts come later: spread evenly over a tick, in an order by the seed.

    A cell whose restarts always came at one phase of the tick would be quick or slow by luck, cycle after cycle.
    """
    found = [REPLACEMENT_SECONDS * (number + 0.5) / cycles for number in range(cycles)]
    random.Random(f"{seed}.shifts").shuffle(found)
    return found


def check_load(load: RestartLoad) -> RestartLoad:
    """Raises BadInput where no number can come of it."""
    at = load.restarts_at
    if list(at) != sorted(at) or any(later - earlier < load.during_s for earlier, later in itertools.pairwise(at)):
        raise BadInput(
            f"--restart-at {', '.join(f'{each:g}' for each in at)}: expected in order, and {load.during_s:g} s "
            "(--during) or more from one to the next"
        )
    if load.rate * min(at[0], load.after_s) < 20:
        raise BadInput(
            f"--rate {load.rate:g}: fewer than 20 requests before the restart (--restart-at {at[0]:g}) or at the end "
            f"(--after {load.after_s:g}): no p95 comes of that; raise one of them"
        )
    return load


@dataclass(frozen=True)
class Variation:
    """What is varied beside the scripts: nothing given is as the scenario says."""

    scripts: tuple[str, ...] = ()
    modes: tuple[Mode, ...] = ()
    restarts: tuple[RestartMethod, ...] = ()
    processes: tuple[int, ...] = ()
    threads: tuple[int, ...] = ()
    preload: tuple[bool, ...] = (False,)


def cells_of(
    scenario: Scenario, path: Path, sites: Path, vary: Variation, *, runtime: str | None = None
) -> list[tuple[str, Case]]:
    """Each cell of the comparison, with its name.

    Raises:
        BadInput: a script that is not there, a restart method that the mode does not have.
    """
    restarts = vary.restarts or (scenario.restart,)
    modes = vary.modes or tuple(scenario.modes)
    for restart in restarts:
        if restart == "reload":
            raise BadInput("restart 'reload' leaves the interpreter as it is: it costs no cold start to measure")
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
    found = []
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
        found.append((_name(cell, vary), cell))
    return found


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
    """The number of each round from 1, and the cells in the order of that round: shuffled, by the seed."""
    for number in range(1, cycles + 1):
        order = list(range(cells))
        random.Random(f"{seed}.{number}").shuffle(order)
        yield number, order
