"""The first request to a cold process over warm ones, and what a whole cold start takes, script by script.

    python -m benchmarks.first_request

Every script is imported when its process starts (WSGIImportScript), so that the first request meets a process that has
done what the script does, and nothing more. The scripts take turns, so that a machine that slows down does so for all
of them. Times are the client's, through Apache; what is quoted are ratios within a process or within a round.

The first request finds a machine that has been idle for a moment, and so does the warm one that it is compared with:
after a pause a request takes twice as long as one that follows another, however warm its process. Both ratios are
printed. `bare` is not a site, but an application that answers a constant: the excess of its first request is Apache's
and mod_wsgi's own, which no script can remove.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections import defaultdict
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

SCRIPTS = Path("sites/mysite/scripts")
NAMES = ("default", "improved", "bootstrap", "bootstrap_warm", "bootstrap_unchecked")
PATHS = ("/", "/hello/", "/books/1/", "/login/")
LANGUAGES = ("en", "de")
BARE = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"bare"]
"""
SLOTS = 2  # one is used while the other starts again
WARM = 5  # each needs a pause before it
IN_A_ROW = 9
# The script has been imported when the CPU time of its process has stood still for so long.
QUIET_SECONDS = 0.25
QUIET_AT_MOST = 30.0  # an import takes about one


@dataclass(frozen=True)
class Start:
    """One cold process."""

    first: float
    """Seconds of its first request, of PATHS[0]."""
    warm: float
    """Seconds of the same request later, after the same pause: the median of WARM."""
    in_a_row: float
    """Seconds of the same request later, one after another: the median of IN_A_ROW."""
    cpu: float
    """CPU seconds of the process until it has answered each page in each language once."""

    @property
    def ratio(self) -> float:
        return self.first / self.warm

    @property
    def ratio_in_a_row(self) -> float:
        return self.first / self.in_a_row


class Client:
    """Sends requests to one host, one at a time."""

    def __init__(self, locust: LocustClient, host: LocalHost) -> None:
        self._locust = locust
        self._host = host

    def ask(self, slot: ColdSlot, path: int = 0, language: str = LANGUAGES[0]) -> float:
        """Seconds to the last byte of a page."""
        headers = {**slot.headers, "Accept-Language": language}
        answers = self._locust.order(slot.address, self._host.case.requests, [path], [headers]).wait(60.0)
        answer = answers[0] if answers else None
        if answer is None or answer.status != 200 or answer.last_byte is None or answer.sent is None:
            raise InfrastructureError("a request did not get the right answer")
        return answer.last_byte - answer.sent

    def cpu(self, slot: ColdSlot) -> float:
        return sum(proc.cpu_seconds(watched.process) or 0.0 for watched in slot.watch())

    def await_quiet(self, slot: ColdSlot) -> None:
        """Wait until the process has imported its script. Raises InfrastructureError after QUIET_AT_MOST."""
        deadline = time.monotonic() + QUIET_AT_MOST
        before = -1.0
        while (now := self.cpu(slot)) != before or now == 0.0:
            if time.monotonic() > deadline:
                raise InfrastructureError(f"the process was still busy after {QUIET_AT_MOST:.0f} s")
            before = now
            time.sleep(QUIET_SECONDS)

    def start(self) -> Start:
        """One cold start."""
        with self._host.cold() as slot:
            self.await_quiet(slot)
            first = self.ask(slot)
            for language in LANGUAGES:
                for path in range(len(PATHS)):
                    self.ask(slot, path, language)
            cpu = self.cpu(slot)
            in_a_row = statistics.median(self.ask(slot) for _ in range(IN_A_ROW))
            return Start(first, statistics.median(self._ask_late(slot) for _ in range(WARM)), in_a_row, cpu)

    def _ask_late(self, slot: ColdSlot) -> float:
        time.sleep(QUIET_SECONDS)  # the pause that the first request had before it
        return self.ask(slot)


def fragment(directory: Path, script: Path, mode: Mode) -> Path:
    """Apache configuration that has the script imported when a process starts."""
    groups = [f"s{number}" for number in range(SLOTS)] if mode == "daemon" else ["%{GLOBAL}"]
    lines = [f'WSGIImportScript "{script}" process-group={group} application-group=%{{GLOBAL}}\n' for group in groups]
    path = directory / f"{script.stem}.conf"
    path.write_text("".join(lines))
    return path


def measure(mode: Mode, runtime: ServerRuntime, rounds: int) -> dict[str, list[Start]]:
    """Cold starts of each script, in turn."""
    starts: dict[str, list[Start]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as directory, contextlib.ExitStack() as stack:
        Path(directory).chmod(0o755)
        locust = stack.enter_context(LocustClient(1, Path(directory) / "locust.log"))
        clients = {}
        (Path(directory) / "site").mkdir()
        bare = Path(directory) / "site" / "bare.wsgi"
        bare.write_text(BARE)
        scripts = {**{name: (SCRIPTS / f"{name}.wsgi").resolve() for name in NAMES}, "bare": bare}
        for name, script in scripts.items():
            conf = fragment(Path(directory), script, mode)
            case = script_case(script, mode=mode, paths=PATHS, apache_conf=conf, black_box=True)
            clients[name] = Client(locust, stack.enter_context(LocalHost(case, runtime, slots=SLOTS)))
            clients[name].start()  # compiles what is not compiled yet
        names = [*scripts]
        for turn in range(rounds):
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                starts[name].append(clients[name].start())
    return starts


def excess_gone(starts: list[Start], default: list[Start]) -> float:
    """How much less the excess (first less warm, the median) is than the default script's: a share of that."""
    excess, before = (statistics.median(start.first - start.warm for start in some) for some in (starts, default))
    return 1 - excess / before


@click.command()
@click.option("--rounds", type=click.IntRange(2, 1000), default=20, show_default=True)
@click.option("--runtime", "name", default="django52", show_default=True)
@click.option("--mode", "modes", type=click.Choice(["daemon", "embedded"]), multiple=True, help="default: both")
@keep_option
def main(rounds: int, name: str, modes: tuple[Mode, ...], keep: Path | None) -> None:
    """Print the ratios, script by script."""
    runtime = prepare(name, declared_runtimes()[name], say)
    columns = ["mode", "script", "first : warm", "quartiles", "excess gone", "in a row", "whole cold start : default's"]
    table = Table(*columns, title=f"first request to a cold process, {rounds} rounds")
    for mode in modes or ("daemon", "embedded"):
        by_script = measure(mode, runtime, rounds)
        for script, starts in by_script.items():
            low, middle, high = statistics.quantiles((start.ratio for start in starts), n=4)
            whole = statistics.median(
                start.cpu / default.cpu for start, default in zip(starts, by_script["default"], strict=True)
            )
            gone = f"{100 * excess_gone(starts, by_script['default']):.0f} %"
            row = statistics.median(start.ratio_in_a_row for start in starts)
            cells = [f"{middle:.1f}", f"{low:.1f} to {high:.1f}", gone, f"{row:.1f}", f"{whole:.2f}"]
            table.add_row(mode, script, *cells)
    show(table, keep=keep)


if __name__ == "__main__":
    main()
