"""What the probe costs: warm throughput and first-request time, with it and without it, in turn.

    python -m benchmarks.probe_overhead

Two servers stand side by side, alike but for the probe, and are asked in turn, so that a machine that gets
slower or faster meanwhile does so for both. Quoted is the median of the ratios of neighbours.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from harness.adhoc import script_case
from harness.errors import InfrastructureError
from harness.hosting.local import LocalHost, Slot
from harness.load.client import LocustClient
from harness.records import Mode
from harness.runtime import Runtime, declared_runtimes, prepare

SCRIPT = Path("sites/mysite/scripts/default.wsgi")
WAVE = 15
WAVES = 20
ANSWER_SECONDS = 60.0


def ask(locust: LocustClient, host: LocalHost, slot: Slot, requests: int) -> float:
    """Send requests at one moment: seconds until the last of them is answered."""
    order = locust.order(slot.address, host.case.requests, [0] * requests, [slot.headers] * requests)
    answers = order.wait(ANSWER_SECONDS)
    if answers is None or any(each.status != 200 for each in answers):
        raise InfrastructureError("a request was not answered as it should be")
    return max(each.last_byte or 0.0 for each in answers) - min(each.intended for each in answers)


def first_request(locust: LocustClient, host: LocalHost) -> float:
    """Seconds that the first request to a cold process takes."""
    with host.cold() as slot:
        return ask(locust, host, slot, 1)


def warm_seconds(locust: LocustClient, host: LocalHost, slot: Slot) -> float:
    """Seconds that WAVES waves of WAVE requests take a warm process."""
    return sum(ask(locust, host, slot, WAVE) for _ in range(WAVES))


def ratios(mode: Mode, runtime: Runtime, cold: int, warm: int) -> tuple[list[float], list[float]]:
    """With the probe over without, pair by pair: first-request times, and times of warm waves."""
    case = script_case(SCRIPT, mode=mode)
    hosts = [LocalHost(each, runtime, slots=4) for each in (case, case.model_copy(update={"black_box": True}))]
    first: list[float] = []
    wave: list[float] = []
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        locust = stack.enter_context(LocustClient(WAVE, Path(directory) / "locust.log"))
        for host in hosts:
            stack.enter_context(host)
            first_request(locust, host)  # compiles what is not compiled yet
        for pair in range(cold):
            with_probe, without = _in_turn(pair, hosts, lambda host: first_request(locust, host))
            first.append(with_probe / without)
        slots = {id(host): stack.enter_context(host.cold()) for host in hosts}
        for host in hosts:
            warm_seconds(locust, host, slots[id(host)])
        for pair in range(warm):
            with_probe, without = _in_turn(pair, hosts, lambda host: warm_seconds(locust, host, slots[id(host)]))
            wave.append(with_probe / without)
    return first, wave


def _in_turn(pair: int, hosts: Sequence[LocalHost], measure: Callable[[LocalHost], float]) -> tuple[float, float]:
    """Measure both hosts, every other time the second one first."""
    if pair % 2:
        without = measure(hosts[1])
        return measure(hosts[0]), without
    with_probe = measure(hosts[0])
    return with_probe, measure(hosts[1])


@click.command()
@click.option("--cold", type=click.IntRange(2, 1000), default=40, show_default=True, help="pairs of cold starts")
@click.option("--warm", type=click.IntRange(2, 1000), default=20, show_default=True, help=f"pairs of {WAVES} waves")
@click.option("--runtime", "name", default="py311-django52", show_default=True)
def main(cold: int, warm: int, name: str) -> None:
    """Print the ratios, with probe over without: 1.00 is free."""
    runtime = prepare(name, declared_runtimes()[name], lambda text: click.echo(text, err=True))
    table = Table("mode", "first-request time", "quartiles", "warm time a request", "quartiles", title="with : without")
    modes: tuple[Mode, ...] = ("daemon", "embedded")
    for mode in modes:
        cells = []
        for each in ratios(mode, runtime, cold, warm):
            low, middle, high = statistics.quantiles(each, n=4)
            cells += [f"{middle:.3f}", f"{low:.3f} to {high:.3f}"]
        table.add_row(mode, *cells)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
