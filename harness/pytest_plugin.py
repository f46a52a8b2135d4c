"""The pytest plugin: scenario files are collected, each case is one item; and fixtures for scripts of your own.

@pytest.mark.harness(paths=["/", "/login/"], trials=50)
def test_my_site_starts_cold(harness_cold_start):
    assert harness_cold_start("mysite/wsgi.py").verdict in ("clean", "hazard")
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import pytest
from rich.console import Console

from harness.cases.case import Case
from harness.cases.scenario import MAX_TRIALS
from harness.cases.script import AD_HOC, script_case
from harness.cli.arguments import write_everything
from harness.errors import BadInput, HarnessError, MissingRuntime, printable, quoted
from harness.gate.items import ItemGate, gate_lines, write_gate_summary
from harness.hosting import interruption, leftovers
from harness.hosting.backend import Backend, LocalBackend, choose
from harness.hosting.preparing import Runtimes, prepare_for_python
from harness.parity import testing as parity
from harness.parity.compare import ParityComparison
from harness.report.console import case_lines, print_result
from harness.report.html import write_html
from harness.report.page import FILE
from harness.result import SCHEMA_VERSION, CaseResult, RunResult, SkippedCase, encode
from harness.run.collected import CollectedTests, WorkerRuns
from harness.run.selection import distinct, select_cases
from harness.run.session import Session, SilentWatcher
from harness.run.turns import in_turns
from harness.runtimes.spec import RuntimeSpec, declared_runtimes
from harness.store.plan import Settings
from harness.store.runs import RESULT_FILE, write_whole

# Users of Locust for scripts of the fixture's, which are known only when the session is open: twice the default.
SPARE_USERS = 30
# As the command line has it: each trial at a time has an interpreter of its own.
MAX_PARALLEL = 64
PROPERTY = "harness_case"
"""Of a test item: its result as JSON, which reaches the summary from a worker of pytest-xdist too."""


def count(text: str, most: int = MAX_TRIALS) -> int:
    """A whole number from 1. Raises argparse.ArgumentTypeError: it is none."""
    if not re.fullmatch("[0-9]{1,9}", text.strip()) or not 1 <= int(text) <= most:
        raise argparse.ArgumentTypeError(f"{quoted(text)}: expected a whole number from 1 to {most}")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("harness", "cold-restart stress tests")
    group.addoption("--harness-trials", type=count, metavar="N", help="cold starts per case, instead of the file's")
    group.addoption("--harness-runtime", metavar="NAME", help="run every scenario on this runtime")
    group.addoption("--harness-runtimes", type=Path, metavar="FILE", help="a TOML file with runtimes of your own")
    group.addoption(
        "--harness-sites",
        type=Path,
        metavar="DIR",
        help="directory of the sites (default: sites/ beside the scenarios' directory, or above that)",
    )
    group.addoption(
        "--harness-results", type=Path, metavar="DIR", help="directory of the stored runs (default: results)"
    )
    group.addoption(
        "--harness-backend",
        choices=["local", "compose", "auto"],
        default="auto",
        help="where Apache runs: private httpds, the Compose stack, or (default) the stack if it is running",
    )
    group.addoption(
        "--harness-parallel",
        "--harness-flights",
        dest="harness_parallel",
        type=functools.partial(count, most=MAX_PARALLEL),
        metavar="N",
        help="trials at a time (default: one per core)",
    )
    group.addoption(
        "--harness-gate",
        metavar="BASELINE",
        nargs="?",
        const="",
        help="fail what got worse since this baseline (default: named after the scenario) or exceeds a threshold",
    )
    parser.addini(
        "harness_trials_at_most",
        "most cold starts of a case that is not expected to race (`harness run` makes as many as the file says)",
        default="",
    )
    parser.addini(
        "harness_scenarios",
        "globs of scenario files, from the root directory",
        type="args",
        default=["scenarios/*.toml"],
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers",
        "harness(**options): defaults of harness_cold_start for this test; options as harness.adhoc.script_case",
    )
    config.stash[_SESSION] = harness = PluginSession(config)
    if _has_scenarios(config):
        harness.obey_signals()
    try:
        _ = harness.trials_at_most, harness.gate  # a missing baseline must not cost minutes
        _has_scenarios(config)
    except BadInput as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    harness = config.stash.get(_SESSION, None)
    if harness is not None:
        harness.close()


def _has_scenarios(config: pytest.Config) -> bool:
    """Raises pytest.UsageError: one of the patterns is none."""
    for pattern in config.getini("harness_scenarios"):
        try:
            if any(config.rootpath.glob(pattern)):
                return True
        except (ValueError, NotImplementedError, OSError, IndexError) as error:
            raise pytest.UsageError(f"harness_scenarios: {quoted(pattern)} is no pattern of files: {error}") from None
    return False


def pytest_report_header(config: pytest.Config) -> str | None:
    if not _has_scenarios(config):
        return None
    backend = config.stash[_SESSION].backend
    return f"harness backend: {backend.name}" + (f" ({backend.note})" if backend.note else "")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    patterns = parent.config.getini("harness_scenarios")
    try:
        relative = file_path.relative_to(parent.config.rootpath)
    except ValueError:
        return None
    if file_path.suffix == ".toml" and any(relative.match(pattern) for pattern in patterns):
        return ScenarioFile.from_parent(parent, path=file_path)
    return None


class PluginSession:
    """The harness session of a pytest session, opened when the first case needs it."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._session: Session | None = None
        self._opened = contextlib.ExitStack()
        self.users = SPARE_USERS
        self.cases = 0
        """Scenario cases that were collected: the gate's error probability is divided among them."""
        self.collected = CollectedTests()
        self.skipped: list[SkippedCase] = []
        self._obeys_signals = False
        self._ahead: dict[str, CaseResult] = {}
        self._ids: list[str] = []

    def option(self, name: str, default: Any = None) -> Any:
        value = self._config.getoption(f"--harness-{name}")
        return default if value is None else value

    def directory(self, name: str, default: str) -> Path:
        return Path(self.option(name, self._config.rootpath / default))

    def named(self, cases: Sequence[Case]) -> list[Case]:
        """The cases with ids that no other of this session has."""
        renamed = distinct(cases, self._ids)
        self._ids += [case.id for case in renamed]
        return renamed

    def shortened(self, case: Case) -> Case:
        """The case with at most `harness_trials_at_most` trials. One that is expected to race keeps them all: it ends
        as soon as it has raced."""
        most = self.trials_at_most
        if not most or self.option("trials") or (case.expectation and case.expectation.verdicts == ("race",)):
            return case
        return case.model_copy(update={"trials": min(case.trials, most)})

    @functools.cached_property
    def trials_at_most(self) -> int:
        """0: no limit. Raises pytest.UsageError: the value in the ini file is no such number."""
        text = self._config.getini("harness_trials_at_most")
        try:
            return count(text, most=MAX_TRIALS) if text else 0
        except argparse.ArgumentTypeError as error:
            raise pytest.UsageError(f"harness_trials_at_most: {error}") from None

    def say(self, text: str) -> None:
        """Tell past pytest's capturing that something is built, which can take minutes."""
        capture = self._config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            print(f"\n{printable(text)}", file=sys.stderr, flush=True)

    def session(self) -> Session:
        if self._session is None:
            workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
            parallel = self.option("parallel") or max(1, (os.cpu_count() or 1) // workers)
            self._opened.callback(leftovers.tidy)
            reporter = self._config.pluginmanager.get_plugin("terminalreporter")
            if (swept := leftovers.sweep()) and reporter is not None:
                reporter.write_line(f"harness: {swept}")
            settings = Settings(command="pytest")
            session = Session(self.directory("results", "results"), parallel, users=self.users, settings=settings)
            self._session = self._opened.enter_context(session)
            self.obey_signals()
            if not self._is_worker:  # a worker does not know which of the cases it will get
                session.announce(list(self.collected.cases.values()))
        return self._session

    @functools.cached_property
    def backend(self) -> Backend:
        """Where scenarios run. Raises HarnessError."""
        runtimes = Runtimes(self.declared, self.say)
        directory = self._config.rootpath
        chosen = choose(self.option("backend"), directory, self.declared, lambda case: runtimes.get(case.runtime))
        return self._opened.enter_context(chosen)

    @functools.cached_property
    def declared(self) -> dict[str, RuntimeSpec]:
        return declared_runtimes(self.option("runtimes"))

    def run(self, cases: Sequence[Case], backend: Backend) -> list[CaseResult]:
        results, stopped = self.session().run_together(cases, backend, SilentWatcher())
        if stopped:
            raise KeyboardInterrupt
        self.collected.ran.update(case.id for case in cases)
        return results

    def result_of(self, item: CaseItem) -> CaseResult:
        """The result of a case. Cases that take turns with it are run too, and their results kept for their items."""
        name = item.case.id
        if name not in self._ahead:
            items = item.session.items if self._stay else ()
            cases = [other.case for other in items if isinstance(other, CaseItem)]
            group = next((group for group in in_turns(cases) if item.case in group), [item.case])
            self._ahead.update(zip([case.id for case in group], self.run(group, self.backend), strict=True))
        return self._ahead.pop(name)

    @property
    def _stay(self) -> bool:
        """Do the cases of a file stay together? A worker of pytest-xdist may get only some of them."""
        return bool(getattr(self._config, "workerinput", {_STAY: True})[_STAY])

    @functools.cached_property
    def gate(self) -> ItemGate | None:
        """The gate of `--harness-gate`, if it is given. Raises BadInput: no such baseline."""
        name = self._config.getoption("--harness-gate")
        return None if name is None else ItemGate(name or None, self.directory("results", "results"))

    def obey_signals(self) -> None:
        """From now on, until the session is closed."""
        if not self._obeys_signals and threading.current_thread() is threading.main_thread():
            self._opened.callback(interruption.install_as_guest())
            self._obeys_signals = True

    @property
    def _is_worker(self) -> bool:
        return hasattr(self._config, "workerinput")

    def finish(self) -> str:
        """Write result.json and the report page; the run's directory, or "" if nothing ran.

        The run of a worker of pytest-xdist is taken for interrupted until the controller, which alone knows what all
        of them did, calls it complete.
        """
        if self._session is None:
            return ""
        complete = not self._is_worker and not self.collected.unfinished()
        result = self._session.result("complete" if complete else "interrupted")
        _write_run(self._session.directory, msgspec.structs.replace(result, skipped=self.skipped))
        return str(self._session.directory)

    def close(self) -> None:
        self._opened.close()


def _write_run(directory: Path, result: RunResult) -> None:
    write_whole(directory / RESULT_FILE, encode(result), "the result")
    with contextlib.suppress(HarnessError, jinja2.TemplateError):
        write_html(directory, result)


def complete_run(directory: Path) -> None:
    """Call the run of a worker complete: all workers have done all that there was to do."""
    with contextlib.suppress(OSError, msgspec.DecodeError):  # the worker was on another machine
        result = msgspec.json.decode((directory / RESULT_FILE).read_bytes(), type=RunResult)
        _write_run(directory, msgspec.structs.replace(result, status="complete"))


_SESSION = pytest.StashKey[PluginSession]()
_WORKERS = pytest.StashKey[WorkerRuns]()
_RUN_OF_WORKER = "harness_run"
_STAY = "harness_files_stay"


def stored_session(config: pytest.Config) -> Path | None:
    """The directory of this session's run; None if no case was run."""
    harness = config.stash.get(_SESSION, None)
    return None if harness is None or harness._session is None else harness._session.directory


def pytest_collection_finish(session: pytest.Session) -> None:
    collected = session.config.stash[_SESSION].collected
    collected.cases.update({item.nodeid: item.case for item in session.items if isinstance(item, CaseItem)})
    users = (item for item in session.items if harness_cold_start.__name__ in getattr(item, "fixturenames", ()))
    collected.others.update(item.nodeid for item in users)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> None:
    """A test is over when it was skipped, or ran and its cases came to their end."""
    collected = item.config.stash[_SESSION].collected
    error = call.excinfo.value if call.excinfo else None
    skipped = isinstance(error, pytest.skip.Exception)
    if skipped or (call.when == "call" and item.nodeid in collected.others and not isinstance(error, HarnessError)):
        collected.over.add(item.nodeid)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    harness = session.config.stash[_SESSION]
    directory = harness.finish()
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[_RUN_OF_WORKER] = {"directory": directory, **harness.collected.of_worker()}
        return
    workers = session.config.stash.setdefault(_WORKERS, WorkerRuns())
    if not workers.unfinished():
        for name in workers.directories:
            complete_run(Path(name))
    workers.add(directory, **harness.collected.of_worker())


def work_unit(nodeid: str) -> str:
    """What one worker of pytest-xdist gets as a whole: a file; and all cases of the stack's embedded mode, each of
    which takes every such service, so that two workers would only wait for each other."""
    file, _, rest = nodeid.partition("::")
    return "embedded" if file.endswith(".toml") and rest.startswith("embedded::") else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    if (
        config.getoption("dist") != "loadfile"
        or not _has_scenarios(config)
        or config.stash[_SESSION].backend.name != "compose"
    ):
        return None
    from xdist.scheduler import LoadFileScheduling  # noqa: PLC0415 - it may not be installed

    scheduler = LoadFileScheduling(config, log)
    scheduler._split_scope = work_unit
    return scheduler


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    node.workerinput[_STAY] = node.config.getoption("dist") in ("loadfile", "each")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {}).get(_RUN_OF_WORKER)
    if output:
        node.config.stash.setdefault(_WORKERS, WorkerRuns()).add(**output)


def sites_of(scenario: Path) -> Path:
    """The nearest directory `sites` beside the scenario's own, or above that."""
    places = [parent / "sites" for parent in scenario.parents[1:]]
    return next((place for place in places if place.is_dir()), places[0])


class ScenarioFile(pytest.File):
    """A scenario file: a collector of its cases."""

    def collect(self) -> Iterator[pytest.Item]:
        harness = self.config.stash[_SESSION]
        sites = harness.option("sites") or sites_of(self.path)
        trials, runtime = harness.option("trials"), harness.option("runtime")
        try:
            selected = select_cases([self.path], sites, harness.declared, trials=trials, runtime=runtime)
        except BadInput as error:
            raise self.CollectError(str(error)) from error
        cases = harness.named(selected)
        harness.cases += len(cases)
        for case in cases:
            harness.users = max(harness.users, case.users)
            yield CaseItem.from_parent(self, name=case.id.partition("::")[2], case=harness.shortened(case))


class CaseItem(pytest.Item):
    """One case: it passes when its expectation is met."""

    def __init__(self, *, case: Case, **rest: Any) -> None:
        super().__init__(**rest)
        self.case = case

    def runtest(self) -> None:
        harness = self.config.stash[_SESSION]
        try:
            result = harness.result_of(self)
        except MissingRuntime as error:
            harness.skipped.append(SkippedCase(case=self.case.id, reason=str(error)))
            pytest.skip(f"runtime {self.case.runtime}: {error}")
        remember(self, result)
        if harness.gate is not None:
            worse = harness.gate.judge(self.case, result, harness.backend, harness.session(), harness.cases)
            self.user_properties += harness.gate.properties(result)
            if worse:
                raise CaseFailure("\n".join(worse))
        if not result.met:
            raise CaseFailure("\n".join(case_lines(result)))

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """The failure text is the explanation."""
        if isinstance(excinfo.value, CaseFailure | HarnessError):
            return printable(str(excinfo.value))
        if isinstance(excinfo.value, Exception):
            own = f"the harness itself failed ({type(excinfo.value).__name__}): this says nothing about the site\n\n"
            return printable(own + "".join(traceback.format_exception(excinfo.value)))
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, None, self.name


class CaseFailure(Exception):
    """A case that got worse, or does not meet its expectation; the message is the explanation."""


def remember(item: pytest.Item, result: CaseResult) -> None:
    """Attach a result to the item's report, so that it reaches the summary from an xdist worker too."""
    item.user_properties.append((PROPERTY, msgspec.json.encode(result).decode()))


@pytest.fixture
def harness_cold_start(request: pytest.FixtureRequest) -> Callable[..., CaseResult]:
    """Test the cold start of a WSGI script: call it with the path, and the options of `harness.adhoc.script_case`.

    Options of a `harness` marker are its defaults. Returns the case's result; skips if the runtime is missing.
    """
    harness = request.config.stash[_SESSION]
    marker = request.node.get_closest_marker("harness")
    if marker is not None and marker.args:
        raise pytest.UsageError(f"{request.node.nodeid}: the harness marker takes keyword arguments only")
    defaults = dict(marker.kwargs) if marker is not None else {}

    def cold_start(script: str | os.PathLike[str], **options: Any) -> CaseResult:
        __tracebackhide__ = True
        options = {**defaults, **options}
        if harness.option("trials"):
            options["trials"] = harness.option("trials")
        try:
            try:
                path = request.config.rootpath / script
            except TypeError:
                raise BadInput(f"{quoted(script)}: expected the path of a script") from None
            case = script_case(path, **options)
            runtime = prepare_for_python(Path(options.get("python") or sys.executable), harness.say)
        except MissingRuntime as error:
            pytest.skip(str(error))
        except HarnessError as error:
            # From here: the frames of the harness in between explain nothing.
            raise type(error)(str(error)) from None
        case = case.model_copy(update={"id": f"{request.node.name}::{case.id.partition('::')[2]}"})
        (case,) = harness.named([case])
        (result,) = harness.run([case], LocalBackend(lambda _: runtime))
        remember(request.node, result)
        return result

    return cold_start


@pytest.fixture
def assert_parity(request: pytest.FixtureRequest) -> Callable[..., ParityComparison]:
    """Assert that a script sets its process up as the development server does: call it with the site's directory, the
    script, and `ignore`, the rows that may differ; further options are those of `harness.parity.testing.assert_parity`.

    Paths start at pytest's root directory. Skips if the runtime is missing.
    """

    def check(site: str | os.PathLike[str], *script: str | os.PathLike[str], **options: Any) -> ParityComparison:
        root = request.config.rootpath
        options.setdefault("sites", root / "sites")
        try:
            return parity.assert_parity(root / site if (root / site).is_dir() else site, *script, **options)
        except MissingRuntime as error:
            pytest.skip(str(error))

    return check


def pytest_terminal_summary(terminalreporter: Any) -> None:
    reports = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if getattr(report, "when", None) == "call"
    ]
    cases = [
        msgspec.json.decode(value, type=CaseResult)
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == PROPERTY
    ]
    workers = terminalreporter.config.stash.get(_WORKERS, WorkerRuns())
    unfinished = workers.unfinished()
    if not cases and not workers.directories:
        return
    items = [(report.nodeid, dict(report.user_properties)) for report in reports]
    if gated := gate_lines(items):
        terminalreporter.section("gate")
        for line in gated:
            terminalreporter.write_line(line)
        write_gate_summary(items)
    terminalreporter.section("cold starts")
    write_everything(terminalreporter._tw._file)
    console = Console(file=terminalreporter._tw._file, width=max(120, terminalreporter._tw.fullwidth))
    cases.sort(key=lambda case: case.case)
    run = RunResult(
        schema_version=SCHEMA_VERSION,
        run="pytest",
        status="interrupted" if unfinished else "complete",
        environment={},
        cases=cases,
        skipped=[],
    )
    # A test that uses the fixture judges for itself: its cases are only in the table.
    print_result(console, run, evidence=False, cases=[case for case in cases if case.scenario != AD_HOC])
    if unfinished:
        count = len(workers.tests)
        terminalreporter.write_line(
            f"interrupted: {count - len(unfinished)} of {count} tests with cold starts came to their end"
        )
    for page in (Path(name) / FILE for name in workers.directories):
        if page.is_file():
            terminalreporter.write_line(f"Report: {page}")
