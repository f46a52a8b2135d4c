"""What the probe costs: time of first requests and warm requests, with it and without it, in turn.

    python -m benchmarks.probe_overhead
    python -m benchmarks.probe_overhead --against REV

Two servers, alike but for the probe, get requests in turn, so that a machine that slows down does so for both. What is
quoted are ratios of neighbours in time.

With --against both sides have a probe: the working tree its own, and the other revision its own. See
benchmarks/against.py.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.table import Table

from benchmarks.against import Measurement, Quantity, against_options, compare
from benchmarks.tables import keep_option, show
from harness import proc
from harness.cases.script import script_case
from harness.errors import InfrastructureError
from harness.hosting.local import LocalHost
from harness.hosting.preparing import ServerRuntime, prepare
from harness.hosting.slot import ColdSlot
from harness.load.client import LocustClient
from harness.records import Mode
from harness.report.console import say
from harness.runtimes.spec import declared_runtimes

SCRIPT = Path("sites/mysite/scripts/default.wsgi")
WAVE = 15  # as many requests as a process has threads
WAVES = 20  # some 0.3 s of CPU time, which is counted in ticks of 10 ms
ANSWER_SECONDS = 60.0  # far more than a first request on a busy machine takes
TURNS = 40
# Of a measurement with --against: some ten seconds each.
COLD = 10
WARM = 60
QUANTITIES = (
    Quantity("first", "first request, time"),
    Quantity("first CPU", "first request, CPU time"),
    Quantity("warm", "warm requests, time"),
    Quantity("warm CPU", "warm requests, CPU time"),
)


@dataclass(frozen=True)
class Cost:
    """What requests cost: seconds by the clock, and CPU seconds of the server's interpreters."""

    wall: float
    cpu: float


def ask(locust: LocustClient, host: LocalHost, slot: ColdSlot, requests: int) -> float:
    """Send requests at one moment: seconds until the last of them is answered."""
    order = locust.order(slot.address, host.case.requests, [0] * requests, [slot.headers] * requests)
    answers = order.wait(ANSWER_SECONDS)
    if answers is None or any(answer.status != 200 for answer in answers):
        raise InfrastructureError("a request did not get the right answer")
    return max(answer.last_byte or 0.0 for answer in answers) - min(answer.intended for answer in answers)


def cpu_seconds(slot: ColdSlot) -> float:
    return sum(proc.cpu_seconds(watched.process) or 0.0 for watched in slot.watch())


def first_request(locust: LocustClient, host: LocalHost) -> Cost:
    """The first request to a cold process."""
    with host.cold() as slot:
        before = cpu_seconds(slot)
        return Cost(ask(locust, host, slot, 1), cpu_seconds(slot) - before)


def warm_waves(locust: LocustClient, host: LocalHost, slot: ColdSlot) -> Cost:
    """WAVES waves of WAVE requests to a warm process."""
    before = cpu_seconds(slot)
    wall = sum(ask(locust, host, slot, WAVE) for _ in range(WAVES))
    return Cost(wall, cpu_seconds(slot) - before)


Pairs = list[tuple[Cost, Cost]]


def measure_pairs(mode: Mode, runtime: ServerRuntime, cold: int, warm: int) -> tuple[Pairs, Pairs]:
    """(with the probe, without), neighbours in time: first requests, and warm waves."""
    case = script_case(SCRIPT, mode=mode)
    black_box = case.model_copy(update={"black_box": True})
    hosts = [LocalHost(variant, runtime, slots=4) for variant in (case, black_box)]
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        locust = stack.enter_context(LocustClient(WAVE, Path(directory) / "locust.log"))
        for host in hosts:
            stack.enter_context(host)
            first_request(locust, host)  # compiles what is not compiled yet
        first = [_in_turn(pair, hosts, lambda host: first_request(locust, host)) for pair in range(cold)]
        slots = {id(host): stack.enter_context(host.cold()) for host in hosts}
        for host in hosts:
            warm_waves(locust, host, slots[id(host)])
        waves = [_in_turn(pair, hosts, lambda host: warm_waves(locust, host, slots[id(host)])) for pair in range(warm)]
    return first, waves


def _in_turn(pair: int, hosts: Sequence[LocalHost], measure: Callable[[LocalHost], Cost]) -> tuple[Cost, Cost]:
    """Measure both hosts, every other time the second one first."""
    if pair % 2:
        without = measure(hosts[1])
        return measure(hosts[0]), without
    with_probe = measure(hosts[0])
    return with_probe, measure(hosts[1])


def ratios(pairs: Pairs) -> list[str]:
    """Of time: the median of the ratios, and their quartiles. Of CPU time, which has coarse ticks: of the sums."""
    low, middle, high = statistics.quantiles((with_probe.wall / without.wall for with_probe, without in pairs), n=4)
    cpu = sum(with_probe.cpu for with_probe, _ in pairs) / sum(without.cpu for _, without in pairs)
    return [f"{middle:.3f}", f"{low:.3f} to {high:.3f}", f"{cpu:.3f}"]


@click.command()
@click.option(
    "--cold", type=click.IntRange(2, 1000), help=f"pairs of cold starts: {TURNS}; with --against, cold starts: {COLD}"
)
@click.option(
    "--warm",
    type=click.IntRange(2, 1000),
    help=f"pairs of {WAVES} waves: {TURNS}; with --against, waves: {WARM}",
)
@click.option("--runtime", "name", default="django52", show_default=True)
@against_options
@keep_option
def main(cold: int | None, warm: int | None, name: str, against: str | None, pairs: int, keep: Path | None) -> None:
    """Print the ratios, with probe over without: 1.00 is free.

    With --against the ratio of the other revision's costs to today's; exit code 1 where today's are higher or may be.
    """
    if against is not None:
        measurement = Measurement("probe", {"cold": cold or COLD, "warm": warm or WARM}, QUANTITIES)
        sys.exit(not compare(measurement, against, pairs, name, keep))
    runtime = prepare(name, declared_runtimes()[name], say)
    table = Table("mode", "what", "time", "quartiles", "CPU time", title="with the probe : without")
    modes: tuple[Mode, ...] = ("daemon", "embedded")
    for mode in modes:
        first, waves = measure_pairs(mode, runtime, cold or TURNS, warm or TURNS)
        table.add_row(mode, "first request", *ratios(first))
        table.add_row(mode, "warm requests", *ratios(waves))
    show(table, keep=keep)


if __name__ == "__main__":
    main()
