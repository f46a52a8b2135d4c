"""`harness baseline` and `harness gate`: what got worse, against a stored run or another revision."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from harness.cases.case import Case
from harness.cli import options
from harness.errors import BadInput, Inconclusive, MissingRuntime, printable
from harness.gate.against import old_case
from harness.gate.compare import TOLERANCE, has_limits
from harness.gate.judge import compare_live, find_baselines, judge_observed
from harness.gate.measure import COLD_STARTS, baseline_of, measure_all, of_stored
from harness.gate.records import BASELINES, CaseCounts, baseline_path, write_baseline
from harness.gate.summary import Outcome, lines, markdown, write_summary
from harness.hosting.backend import Backend, Choice, choose_for
from harness.hosting.untrusted import let_server_in
from harness.report.console import ProgressWatcher, open_console, say
from harness.run.selection import load_scenarios, select_cases
from harness.run.session import Session
from harness.runtimes.spec import declared_runtimes
from harness.store.runs import stored_run

_gate_options = options.stacked(
    options.scenarios,
    options.case_pattern(),
    options.trials(default=40),
    click.option(
        "--cold-starts",
        type=click.IntRange(0, 1000),
        default=COLD_STARTS,
        show_default=True,
        help="cold starts per case that compare the first request with a warm one",
    ),
    options.sites,
    options.runtime,
    options.runtimes,
    options.backend,
    options.seed(),
    options.results,
    options.parallel,
)


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
    parallel: int | None

    def cases(self) -> list[Case]:
        """Raises BadInput."""
        return select_cases(
            self.scenarios,
            self.sites,
            declared_runtimes(self.runtimes),
            pattern=self.case_pattern,
            trials=self.trials,
            seed=self.seed,
            runtime=self.runtime,
        )

    def hosts(self) -> Backend:
        return choose_for(self.backend, declared_runtimes(self.runtimes), say)

    def measure(self, cases: Sequence[Case], notes: list[str]) -> tuple[Session, list[CaseCounts]]:
        """Run the cases; `notes` gets a sentence for each that was skipped. Raises HarnessError."""
        hosts = self.hosts()
        with (
            Session(self.results, self.parallel, users=max(case.users for case in cases)) as session,
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
@click.option("--name", help="name of the baseline (default: the scenario's)")
def baseline(name: str | None, **shared: Any) -> None:
    """Run SCENARIOS and store what `harness gate` compares with: counts, hazards and ratios, no absolute times."""
    command = _GateOptions(**shared)
    if name is None:
        stems = {path.stem for path, _ in load_scenarios(command.scenarios)}
        if len(stems) > 1:
            raise BadInput("a baseline of several scenarios needs a name: --name NAME")
        name = stems.pop()
    baseline_path(name, command.results)
    notes: list[str] = []
    session, observed = command.measure(command.cases(), notes)
    unfit = [counts for counts in observed if counts.verdict == "inconclusive"]
    if unfit:
        raise Inconclusive(f"{unfit[0].case}: {unfit[0].reason}; no baseline was written")
    path = write_baseline(baseline_of(name, session, observed), command.results)
    for counts in observed:
        click.echo(
            f"{counts.case}: {counts.verdict}, {counts.bad_trials} of {counts.trials} trials bad, "
            f"{len(counts.lazy)} initialisation steps seen inside requests"
        )
    for note in notes:
        click.echo(printable(f"note: {note}"))
    click.echo(f"baseline {name} written to {path}")


@click.command()
@_gate_options
@click.option("--baseline", "name", help="compare with this baseline (default: the one named after the scenario)")
@click.option(
    "--against",
    metavar="REV|SCRIPT",
    help="compare with the site at a git revision, or with another script, in pairs of cold starts; compares times too",
)
@click.option(
    "--pairs",
    type=click.IntRange(8, 1000),
    default=24,
    show_default=True,
    help="pairs of cold starts per case, with --against",
)
@click.option(
    "--tolerance",
    type=options.FiniteRange(0, 10),
    default=TOLERANCE,
    show_default=True,
    help="relative slowdown that is still accepted, with --against",
)
@click.option("--run", "run_name", metavar="RUN", help="judge this stored run instead of a new one")
@click.option("--summary", type=options.FILE, help="write Markdown here (default: the file in $GITHUB_STEP_SUMMARY)")
def gate(
    name: str | None,
    against: str | None,
    pairs: int,
    tolerance: float,
    run_name: str | None,
    summary: Path | None,
    **shared: Any,
) -> None:
    """Fail what got worse: compare SCENARIOS with a baseline and with the thresholds in the scenario files.

    Exit code 1 if anything got worse, with a sentence for each such thing.
    """
    command = _GateOptions(**shared)
    if against is not None and (name is not None or run_name is not None):
        raise BadInput("--against compares within one new run: leave out --baseline and --run")
    if against is not None:
        outcome = _against(command, against, pairs, tolerance)
    else:
        outcome = _since_baseline(command, name, run_name)
    for text in lines(outcome):
        click.echo(printable(text))
    write_summary(markdown(outcome), summary)
    click.get_current_context().exit(outcome.exit_code)


def _since_baseline(command: _GateOptions, name: str | None, run_name: str | None) -> Outcome:
    notes: list[str] = []
    if run_name is not None:
        _, stored = of_stored(stored_run(run_name, command.results))
        cases = [case for case, _ in stored]
    else:
        cases = command.cases()
    # Before anything is run: a wrong name must not cost minutes.
    baselines = find_baselines({case.scenario for case in cases}, name, command.results)
    if not baselines and not any(has_limits(case.thresholds) for case in cases):
        raise BadInput(
            f"there is nothing to compare with: no baseline {command.results / BASELINES}/{cases[0].scenario}.json "
            f"(`harness baseline {cases[0].scenario}` makes it), and no [thresholds] in the scenario"
        )
    observed = [counts for _, counts in stored] if run_name is not None else command.measure(cases, notes)[1]
    return judge_observed(cases, observed, baselines, notes)


def _against(command: _GateOptions, against: str, pairs: int, tolerance: float) -> Outcome:
    cases = command.cases()
    hosts = command.hosts()
    if hosts.name != "local":
        raise BadInput("--against hosts old and new side by side, and a stack has too few services: --backend local")
    with tempfile.TemporaryDirectory(prefix="harness-old-") as text:
        directory = let_server_in(Path(text))
        olds = [old_case(case, against, directory) for case in cases]
        with hosts, Session(command.results, users=2 * max(case.users for case in cases)) as session:
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
