"""What each restart method costs: time to the first answer of a new process, and what is dropped meanwhile.

    docker compose up -d --wait
    python -m benchmarks.restart_methods

A request every 20 ms, sent by Locust whether the one before it has been answered or not, from half a second before
the restart to the first answer of a new process. Each round begins with a warm process. Runs on the stack if it is
up (`--backend local`: on private httpds, without container restarts).
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from harness.adhoc import script_case
from harness.backend import Choice, choose
from harness.errors import InfrastructureError
from harness.hosting.host import Host, Slot
from harness.load.client import LocustClient, Order
from harness.records import Answer, Mode, ProcessId, RestartMethod
from harness.runtime import Runtimes, declared_runtimes
from harness.scenario import Case

SCRIPT = Path("sites/mysite/scripts/default.wsgi")
EVERY_SECONDS = 0.02
BEFORE_SECONDS = 0.5
LIMIT_SECONDS = 30.0
USERS = 400
METHODS: dict[Mode, tuple[RestartMethod, ...]] = {
    "daemon": ("respawn", "restart", "graceful", "touch", "container"),
    "embedded": ("respawn", "restart", "graceful", "container"),
}


@dataclass
class Round:
    """One restart."""

    first_new: float
    """Seconds from the restart to the first complete answer of a new process."""
    sent: int
    """Requests sent in that time."""
    dropped: int
    """... of them without any answer: refused or reset."""
    errors: int
    """... of them answered with 5xx."""


def measure(host: Host, locust: LocustClient) -> Round:
    """Warm a process, then restart it under requests."""
    slot = host.take()
    answers = _ask(locust, slot, host.case).wait(LIMIT_SECONDS)
    old = answers[0].process if answers else None
    if old is None:
        raise InfrastructureError("the first request was not answered")
    orders: list[Order] = []
    ready = threading.Event()

    def restart() -> None:
        host.release(slot)
        host.take()
        ready.set()

    restarting = threading.Thread(target=restart, daemon=True)
    begin = time.monotonic()
    while True:
        orders.append(_ask(locust, slot, host.case))
        now = time.monotonic()
        if now - begin > BEFORE_SECONDS and not restarting.ident:
            restarted = now
            restarting.start()
        # Asked now and then: the answers are looked at when there may be a new process.
        if ready.is_set() and any(_is_new(order.wait(0), old) for order in orders[-100:]):
            break
        if now - begin > LIMIT_SECONDS:
            raise InfrastructureError("no new process has answered:\n  " + "\n  ".join(host.recent_log()[-8:]))
        time.sleep(max(0.0, begin + len(orders) * EVERY_SECONDS - time.monotonic()))
    restarting.join()
    found = [answer for order in orders for answer in order.wait(LIMIT_SECONDS) or order.abandon()]
    host.release(slot)
    first = min(each.last_byte for each in found if each.last_byte is not None and _is_new((each,), old))
    meanwhile = [each for each in found if restarted <= each.intended <= first]
    return Round(
        first_new=first - restarted,
        sent=len(meanwhile),
        dropped=sum(each.status is None for each in meanwhile),
        errors=sum(each.status is not None and each.status >= 500 for each in meanwhile),
    )


def _ask(locust: LocustClient, slot: Slot, case: Case) -> Order:
    return locust.order(slot.address, case.requests, [0], [{**slot.headers, "X-Harness-Request": "r"}])


def _is_new(answers: tuple[Answer, ...] | None, old: ProcessId) -> bool:
    return answers is not None and answers[0].process not in (None, old)


@click.command()
@click.option("--rounds", type=click.IntRange(1, 100), default=7, show_default=True, help="restarts by each method")
@click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True)
@click.option("--runtime", default="django52", show_default=True)
def main(rounds: int, backend: Choice, runtime: str) -> None:
    """Print a row for each mode and method: medians, and the longest."""
    declared = declared_runtimes()
    runtimes = Runtimes(declared, lambda text: click.echo(text, err=True))
    hosts = choose(backend, Path.cwd(), declared, lambda case: runtimes.get(case.runtime))
    table = Table(
        "mode", "method", "first answer of a new process, ms", "longest", "requests meanwhile", "dropped", "5xx"
    )
    with tempfile.TemporaryDirectory() as directory, hosts, LocustClient(USERS, Path(directory) / "log") as locust:
        for mode, methods in METHODS.items():
            for method in methods:
                if method == "container" and hosts.name == "local":
                    continue
                case = script_case(SCRIPT, mode=mode, restart=method)
                case = case.model_copy(update={"runtime": runtime})
                with hosts.host(case, 1, slots=1) as host:
                    done = [measure(host, locust) for _ in range(rounds + 1)][1:]  # the first round warms Locust up
                table.add_row(
                    mode,
                    method,
                    f"{statistics.median(each.first_new for each in done) * 1000:.0f}",
                    f"{max(each.first_new for each in done) * 1000:.0f}",
                    f"{sum(each.sent for each in done)}",
                    f"{sum(each.dropped for each in done)}",
                    f"{sum(each.errors for each in done)}",
                )
                click.echo(f"{mode} {method}: done", err=True)
    console = Console(width=120)
    console.print(f"backend {hosts.name}, {rounds} restarts by each method", highlight=False)
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
