"""`harness baseline` and `harness gate`: thin doors to harness.gate."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.cases.case import Case
from harness.cases.expand import expand, scenario_files
from harness.cases.scenario import load_scenario
from harness.errors import BadInput, Inconclusive, MissingRuntime, nearest
from harness.gate.against import old_case
from harness.gate.compare import TOLERANCE, has_limits
from harness.gate.judge import compare_live, find_baselines, judge_observed
from harness.gate.measure import COLD_STARTS, baseline_of, measure_all, of_stored
from harness.gate.records import BASELINES, CaseCounts, baseline_path, write_baseline
from harness.gate.summary import Outcome, lines, markdown, write_summary
from harness.hosting.backend import Backend, Choice, choose_for
from harness.report.console import ProgressWatcher, open_console, say
from harness.run.session import Session
from harness.runtimes.spec import declared_runtimes, spec_named
from harness.store.runs import stored_run


def _gate_options(command: Callable[..., Any]) -> Callable[..., Any]:
    options = [
        click.argument("scenarios", nargs=-1, type=click.Path(path_type=Path)),
        click.option("--case", "case_pattern", default="", help="only cases whose id contains this"),
        click.option("--trials", type=click.IntRange(1), default=40, show_default=True,
                     help="cold starts of each case"),
        click.option("--cold-starts", type=click.IntRange(0, 1000), default=COLD_STARTS, show_default=True,
                     help="for the ratio of a first request to a warm one"),
        click.option("--sites", type=click.Path(path_type=Path), default=Path("sites"), show_default=True),
        click.option("--runtime", help="run on this runtime"),
        click.option("--runtimes", type=click.Path(path_type=Path), help="a TOML file with runtimes of your own"),
        click.option("--backend", type=click.Choice(["local", "compose", "auto"]), default="auto", show_default=True),
        click.option("--seed", type=click.IntRange(0), help="seed that the run writes down"),
        click.option("--results", type=click.Path(path_type=Path), default=Path("results"), show_default=True),
        click.option("--flights", type=click.IntRange(1, 64), help="trials at a time (default: one a core)"),
    ]  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@dataclass(frozen=True)
class _GateOptions:
    """The options that baseline and gate share."""

    scenarios: tuple[Path, ...]
    case_pattern: str
    trials: int
    cold_starts: int
    sites: Path
    runtime: str | None
    runtimes: Path | None
    backend: Choice
    seed: int | None
    results: Path
    flights: int | None

    def cases(self) -> list[Case]:
        """Raises BadInput."""
        declared = declared_runtimes(self.runtimes)
        cases = [
            case
            for path in scenario_files(self.scenarios)
            for case in expand(
                load_scenario(path), path, self.sites, trials=self.trials, seed=self.seed, runtime=self.runtime
            )
        ]
        chosen = [case for case in cases if self.case_pattern in case.id]
        if not chosen:
            ids = [case.id for case in cases]
            raise BadInput(f"--case {self.case_pattern!r} matches none of the cases{nearest(self.case_pattern, ids)}")
        for case in chosen:
            spec_named(case.runtime, declared)
        return chosen

    def hosts(self) -> Backend:
        return choose_for(self.backend, declared_runtimes(self.runtimes), say)

    def measure(self, cases: Sequence[Case], notes: list[str]) -> tuple[Session, list[CaseCounts]]:
        """Run the cases. Raises HarnessError."""
        hosts = self.hosts()
        with (
            Session(self.results, self.flights, users=max(case.users for case in cases)) as session,
            hosts,
            ProgressWatcher(open_console(), cases) as watcher,
        ):
            observed = measure_all(
                cases,
                hosts,
                session,
                cold_starts=self.cold_starts,
                watcher=watcher,
                skip=lambda case, why: notes.append(f"{case.id} was skipped: {why}"),
            )
        if not observed:
            raise MissingRuntime(notes[0])
        return session, observed


@click.command()
@_gate_options
@click.option("--name", help="of the baseline (default: the scenario's)")
def baseline(name: str | None, **options: Any) -> None:
    """Run SCENARIOS and keep what `harness gate` compares with: counts, hazards and ratios, no absolute times."""
    asked = _GateOptions(**options)
    if name is None:
        stems = {path.stem for path in scenario_files(asked.scenarios)}
        if len(stems) > 1:
            raise BadInput("a baseline of several scenarios needs a name: --name NAME")
        name = stems.pop()
    baseline_path(name, asked.results)
    notes: list[str] = []
    session, observed = asked.measure(asked.cases(), notes)
    unfit = [each for each in observed if each.verdict == "inconclusive"]
    if unfit:
        raise Inconclusive(f"{unfit[0].case}: {unfit[0].reason}; no baseline was written")
    path = write_baseline(baseline_of(name, session, observed), asked.results)
    for each in observed:
        click.echo(
            f"{each.case}: {each.verdict}, {each.bad_trials} of {each.trials} trials bad, "
            f"{len(each.lazy)} pieces of initialisation seen inside requests"
        )
    for note in notes:
        click.echo(f"note: {note}")
    click.echo(f"baseline {name} is kept in {path}")


@click.command()
@_gate_options
@click.option("--baseline", "name", help="compare with this one (default: the one named as the scenario)")
@click.option(
    "--against",
    metavar="REV|SCRIPT",
    help="compare with the site in a git revision, or with another "
    "script, in pairs of cold starts of old and new: times too",
)
@click.option("--pairs", type=click.IntRange(8, 1000), default=24, show_default=True, help="of each case, --against")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 10),
    default=TOLERANCE,
    show_default=True,
    help="how much longer is not worse yet, --against",
)
@click.option("--run", "run_name", metavar="RUN", help="judge this stored run instead of a new one")
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False),
    help="write Markdown here (default: where $GITHUB_STEP_SUMMARY says)",
)
def gate(
    name: str | None,
    against: str | None,
    pairs: int,
    tolerance: float,
    run_name: str | None,
    summary: Path | None,
    **options: Any,
) -> None:
    """Is it worse than it was? Compares SCENARIOS with a baseline and with the thresholds written in them.

    Exit code 1, and a sentence for each thing that got worse, if so.
    """
    asked = _GateOptions(**options)
    if sum(each is not None for each in (name, against, run_name)) > 1 and not (name and run_name):
        raise BadInput("--against compares within one new run: leave out --baseline and --run")
    if against is not None:
        outcome = _against(asked, against, pairs, tolerance)
    else:
        outcome = _since_baseline(asked, name, run_name)
    for text in lines(outcome):
        click.echo(text)
    write_summary(markdown(outcome), summary)
    click.get_current_context().exit(outcome.exit_code)


def _since_baseline(asked: _GateOptions, name: str | None, run_name: str | None) -> Outcome:
    notes: list[str] = []
    if run_name is not None:
        _, stored = of_stored(stored_run(run_name, asked.results))
        cases = [case for case, _ in stored]
    else:
        cases = asked.cases()
    # Before anything is run: a name that is wrong costs no minutes.
    baselines = find_baselines({case.scenario for case in cases}, name, asked.results)
    if not baselines and not any(has_limits(case.thresholds) for case in cases):
        raise BadInput(
            f"there is nothing to compare with: no baseline {asked.results / BASELINES}/{cases[0].scenario}.json "
            f"(`harness baseline {cases[0].scenario}` makes it), and no [thresholds] in the scenario"
        )
    observed = [each for _, each in stored] if run_name is not None else asked.measure(cases, notes)[1]
    return judge_observed(cases, observed, baselines, notes)


def _against(asked: _GateOptions, against: str, pairs: int, tolerance: float) -> Outcome:
    cases = asked.cases()
    hosts = asked.hosts()
    if hosts.name != "local":
        raise BadInput(
            "--against hosts old and new side by side, for which a stack has too few services: --backend local"
        )
    with tempfile.TemporaryDirectory(prefix="harness-old-") as text:
        directory = Path(text)
        directory.chmod(0o755)  # the server's user reads it
        olds = [old_case(case, against, directory) for case in cases]
        with hosts, Session(asked.results, users=2 * max(case.users for case in cases)) as session:
            for case in cases:
                hosts.prepare(case)
            session.announce(cases)
            outcome = compare_live(
                list(zip(olds, cases, strict=True)),
                hosts,
                session,
                against=against,
                pairs=pairs,
                tolerance=tolerance,
                tell=say,
            )
            session.write(session.result("complete"))
    return outcome
