"""The working tree against another revision of this repository: `--against REV` of a benchmark.

REV is checked out as a git worktree in a temporary directory, and installed there into a virtual environment of its
own, with the package versions of the environment that the benchmark runs in. Then both are measured in pairs, by the
same code (benchmarks/side.py), on the same script, with the same runtime; the order within a pair alternates. What is
printed is the ratio of the pairs: the Hodges-Lehmann estimate and its exact 95 % interval. Above 1 the working tree is
the better one, so a cost is shown as REV : today, a rate as today : REV.
"""

from __future__ import annotations

import importlib.metadata
import json
import math
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import click
from rich.table import Table

from benchmarks.tables import show
from harness.gate.statistics import shift
from harness.hosting.preparing import prepare
from harness.report.console import say
from harness.runtimes.building import cache_directory
from harness.runtimes.interpreters import clean_environment
from harness.runtimes.spec import declared_runtimes

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "sites" / "mysite" / "scripts" / "default.wsgi"
MODES = ("daemon", "embedded")
# The fewest pairs of which one may be spoilt: it is part of 12 of the 78 averages of two pairs, and the interval leaves
# out 13 at either end. With 11 pairs it leaves out 10, and the spoilt one is part of 11.
PAIRS = 12
# A loss that is smaller cannot be told from none by 12 pairs on a machine that does other things too.
LIMIT = 0.95
# A measurement takes half a minute; the first one of a revision may have to build its runtime.
MEASURE_SECONDS = 900.0
# Enough for a measurement that is interrupted to end its servers.
END_SECONDS = 30.0


def against_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of every benchmark that can be run against another revision."""
    pairs = click.option(
        "--pairs",
        type=click.IntRange(2),
        default=PAIRS,
        show_default=True,
        help=f"with --against: measurements of each side; fewer than {PAIRS} give no verdict",
    )
    against = click.option("--against", metavar="REV", help="compare the working tree with this git revision instead")
    return against(pairs(command))


@dataclass(frozen=True)
class Quantity:
    """Something that is compared, by its name in the answer of benchmarks/side.py."""

    name: str
    title: str
    is_rate: bool = False
    """Higher is better; otherwise it is a cost."""


@dataclass(frozen=True)
class Measurement:
    """A method of `Side` in benchmarks/side.py, its options, and what of its answer is compared."""

    method: str
    options: dict[str, int]
    quantities: tuple[Quantity, ...]


@dataclass(frozen=True)
class Interval:
    """By which factor the second of pairs is larger than the first: estimate and 95 % interval."""

    ratio: float
    low: float
    high: float


def interval(pairs: Sequence[tuple[float, float]]) -> Interval:
    """Of pairs of positive numbers; from 0 to infinity where there are too few of them for any."""
    up, down = (shift(some, 0.0, confidence=0.975) for some in (pairs, [(second, first) for first, second in pairs]))
    return Interval(up.ratio, up.at_least, 1 / down.at_least if down.at_least else math.inf)


@dataclass(frozen=True)
class Tree:
    """A source tree, and the interpreter that has what it depends on."""

    name: str
    path: Path
    python: Path

    def measure(self, measurement: Measurement, runtime: str, mode: str) -> dict[str, float]:
        """Have benchmarks/side.py measure this tree once. Raises ClickException when it fails."""
        order = {
            "tree": str(self.path),
            "script": str(SCRIPT),
            "runtime": runtime,
            "mode": mode,
            "method": measurement.method,
            "options": measurement.options,
        }
        program = Path(__file__).with_name("side.py").read_text()
        # The cache is in the current directory otherwise, and that is another one for the other tree.
        environment = {**clean_environment(), "HARNESS_CACHE": str(cache_directory())}
        process = subprocess.Popen(
            [str(self.python), "-c", program, json.dumps(order)],
            cwd=self.path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,  # it gets Ctrl-C from here, and once
        )  # fmt: skip
        try:
            answer, errors = process.communicate(timeout=MEASURE_SECONDS)
        except BaseException as error:
            _end(process)
            if isinstance(error, subprocess.TimeoutExpired):
                raise click.ClickException(f"{self.name}: no result after {MEASURE_SECONDS:.0f} s") from None
            raise
        if process.returncode:
            raise click.ClickException(f"{self.name} cannot be measured:\n{_last_lines(errors)}")
        values: dict[str, float] = json.loads(answer.splitlines()[-1])
        return values


def _end(process: subprocess.Popen[str]) -> None:
    """Have it end its servers, and end it."""
    process.send_signal(signal.SIGINT)
    try:
        process.communicate(timeout=END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-12:])


def _git(*arguments: str) -> str:
    """What a git command of this repository prints. Raises ClickException when it fails."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(f"git {' '.join(arguments)}: {_last_lines(done.stderr) or 'failed'}")
    return done.stdout.strip()


@contextmanager
def other_tree(revision: str) -> Iterator[Tree]:
    """A worktree of a revision, with an environment of its own; removed afterwards.

    Raises:
        ClickException: there is no such revision, or it cannot be installed.
    """
    commit = _git("rev-parse", "--verify", f"{revision}^{{commit}}")
    with tempfile.TemporaryDirectory(prefix="harness-against-") as directory:
        top = Path(directory).resolve()
        top.chmod(0o755)  # the server's user reads there
        tree = top / "tree"
        try:
            _git("worktree", "add", "--quiet", "--detach", str(tree), commit)
            say(f"{revision}: installing it into an environment of its own")
            yield Tree(_git("rev-parse", "--short", commit), tree, _install(tree, top / "environment"))
        finally:
            # Twice, because one that is only half made is locked.
            command = ["git", "-C", str(ROOT), "worktree", "remove", "--force", "--force", str(tree)]
            subprocess.run(command, capture_output=True, check=False)


def _install(tree: Path, home: Path) -> Path:
    """An environment with that tree and what it depends on; its interpreter."""
    # The same versions as here: what other people released meanwhile is not what is compared.
    versions = {
        package.name: f"{package.name}=={package.version}"
        for package in importlib.metadata.distributions()
        if package.name != "restart-harness"
    }
    constraints = home.with_name("constraints.txt")
    constraints.write_text("\n".join(versions.values()) + "\n")
    python = home / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", str(constraints)]
    for command in ([sys.executable, "-m", "venv", str(home)], [*pip, str(tree)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=clean_environment())
        if done.returncode:
            raise click.ClickException(f"the other revision cannot be installed:\n{_last_lines(done.stderr)}")
    return python


@dataclass
class Series:
    """The pairs of one quantity in one mode."""

    mode: str
    quantity: Quantity
    pairs: list[tuple[float, float]] = field(default_factory=list)
    """(today, the other revision)."""

    def interval(self) -> Interval:
        """Above 1: today's is better."""
        return interval([(other, today) for today, other in self.pairs] if self.quantity.is_rate else self.pairs)

    def row(self, other: str) -> list[str]:
        sides = f"today : {other}" if self.quantity.is_rate else f"{other} : today"
        ratio = self.interval()
        span = f"{ratio.low:.3f} to {ratio.high:.3f}" if math.isfinite(ratio.high) else "too few pairs"
        verdict = "too few pairs" if len(self.pairs) < PAIRS else "no" if self.is_worse() else "yes"
        return [self.mode, f"{self.quantity.title}, {sides}", f"{ratio.ratio:.3f}", span, verdict]

    def is_worse(self) -> bool:
        """Or not shown to be as good. Never so with fewer than PAIRS pairs."""
        return len(self.pairs) >= PAIRS and self.interval().low < LIMIT


def compare(measurement: Measurement, revision: str, pairs: int, runtime: str, keep: Path | None) -> bool:
    """Print the ratios of so many pairs; False where a lower end is below LIMIT and there are enough pairs to judge.

    Raises:
        ClickException: there is no such revision, or one of the two cannot be measured.
    """
    today = Tree("today", ROOT, Path(sys.executable))
    table = [Series(mode, quantity) for mode in MODES for quantity in measurement.quantities]
    with other_tree(revision) as other:
        prepare(runtime, declared_runtimes()[runtime], say)
        for number in range(pairs):
            sides = (today, other) if number % 2 == 0 else (other, today)
            for mode in MODES:
                values = {side: side.measure(measurement, runtime, mode) for side in sides}
                for series in table:
                    if series.mode == mode:
                        name = series.quantity.name
                        series.pairs.append((values[today][name], values[other][name]))
                        shown = ", ".join(f"{side.name} {values[side][name]:.4g}" for side in sides)
                        say(f"pair {number + 1} of {pairs}, {mode}, {series.quantity.title}: {shown}")
    columns = ("mode", "what (above 1: today's is better)", "ratio", "95 % interval", f"lower end >= {LIMIT}")
    described = _git("describe", "--always", "--dirty", "--exclude=*")
    printed = Table(*columns, title=f"today ({described}) against {other.name}, {pairs} pairs")
    for series in table:
        printed.add_row(*series.row(other.name))
    show(printed, keep=keep)
    return not any(series.is_worse() for series in table)
