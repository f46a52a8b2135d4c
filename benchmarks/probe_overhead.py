"""What the probe costs: warm throughput and first-request time, with it and without it, in turn.

    python -m benchmarks.probe_overhead

Two servers stand side by side, alike but for the probe, and are asked in turn, so that a machine that gets
slower or faster meanwhile does so for both. Quoted are ratios of neighbours in time.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
from rich.table import Table

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
WAVE = 15
WAVES = 20
ANSWER_SECONDS = 60.0


@dataclass(frozen=True)
class Cost:
    """What something took: seconds by the clock, and CPU seconds of the server's interpreters."""

    wall: float
    cpu: float


def ask(locust: LocustClient, host: LocalHost, slot: ColdSlot, requests: int) -> float:
    """Send requests at one moment: seconds until the last of them is answered."""
    order = locust.order(slot.address, host.case.requests, [0] * requests, [slot.headers] * requests)
    answers = order.wait(ANSWER_SECONDS)
    if answers is None or any(each.status != 200 for each in answers):
        raise InfrastructureError("a request was not answered as it should be")
    return max(each.last_byte or 0.0 for each in answers) - min(each.intended for each in answers)


def cpu_seconds(host: LocalHost, slot: ColdSlot) -> float:
    return sum(proc.cpu_seconds(each.process) or 0.0 for each in slot.watch())


def first_request(locust: LocustClient, host: LocalHost) -> Cost:
    """The first request to a cold process."""
    with host.cold() as slot:
        before = cpu_seconds(host, slot)
        return Cost(ask(locust, host, slot, 1), cpu_seconds(host, slot) - before)


def warm_waves(locust: LocustClient, host: LocalHost, slot: ColdSlot) -> Cost:
    """WAVES waves of WAVE requests to a warm process."""
    before = cpu_seconds(host, slot)
    wall = sum(ask(locust, host, slot, WAVE) for _ in range(WAVES))
    return Cost(wall, cpu_seconds(host, slot) - before)


Pairs = list[tuple[Cost, Cost]]


def measure_pairs(mode: Mode, runtime: ServerRuntime, cold: int, warm: int) -> tuple[Pairs, Pairs]:
    """(with the probe, without), neighbours in time: first requests, and warm waves."""
    case = script_case(SCRIPT, mode=mode)
    hosts = [LocalHost(each, runtime, slots=4) for each in (case, case.model_copy(update={"black_box": True}))]
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
    """By the clock: median of the ratios and their quartiles. By CPU time, which has coarse ticks: of the sums."""
    low, middle, high = statistics.quantiles((each.wall / other.wall for each, other in pairs), n=4)
    cpu = sum(each.cpu for each, _ in pairs) / sum(other.cpu for _, other in pairs)
    return [f"{middle:.3f}", f"{low:.3f} to {high:.3f}", f"{cpu:.3f}"]


@click.command()
@click.option("--cold", type=click.IntRange(2, 1000), default=40, show_default=True, help="pairs of cold starts")
@click.option("--warm", type=click.IntRange(2, 1000), default=40, show_default=True, help=f"pairs of {WAVES} waves")
@click.option("--runtime", "name", default="django52", show_default=True)
@keep_option
def main(cold: int, warm: int, name: str, keep: Path | None) -> None:
    """Print the ratios, with probe over without: 1.00 is free."""
    runtime = prepare(name, declared_runtimes()[name], say)
    table = Table("mode", "what", "time", "quartiles", "CPU time", title="with the probe : without")
    modes: tuple[Mode, ...] = ("daemon", "embedded")
    for mode in modes:
        first, waves = measure_pairs(mode, runtime, cold, warm)
        table.add_row(mode, "first request", *ratios(first))
        table.add_row(mode, "warm requests", *ratios(waves))
    show(table, keep=keep)


if __name__ == "__main__":
    main()
