"""A run on made-up servers: what is on disk when it ends, however it ends."""

import os

import msgspec
import pytest
from build import make_case, make_expectation
from fakes import FakeBackend, FakeLocust

from harness.cases.case import Case
from harness.errors import InfrastructureError
from harness.result import RunResult
from harness.run import session as session_module
from harness.run.session import Session, SilentWatcher
from harness.store.regrade import regrade
from harness.store.stored_case import StoredCase


class Recorder(SilentWatcher):
    """A watcher that remembers what it was told, in order."""

    def __init__(self):
        self.events = []

    def case_begins(self, case):
        self.events.append(("begins", case.id))

    def case_goes_on(self, case, tally):
        self.events.append(("goes on", tally.trials))

    def case_ends(self, case, result):
        self.events.append((result.verdict, case.id))

    def case_skipped(self, case, reason):
        self.events.append((reason, case.id))


class Run:
    """A session of two trials at a time, and what it leaves."""

    def __init__(self, results, monkeypatch):
        self.locust = FakeLocust().takes_over(monkeypatch)
        self.backend, self.watcher = FakeBackend(self.locust), Recorder()
        self.session = Session(results, 2)

    def __call__(self, *cases, **options):
        with self.session as session:
            return session.run_all(cases, self.backend, self.watcher, **options)

    def stored(self):
        return msgspec.json.decode((self.session.directory / "result.json").read_bytes(), type=RunResult)


@pytest.fixture
def run(tmp_path, monkeypatch):
    return Run(tmp_path, monkeypatch)


def make_cases(*names, **changes):
    return [make_case(**{"id": f"{name}::daemon::default::natural", "trials": 2} | changes) for name in names]


def test_complete_run(run):
    """The plan, the result and the histories are on disk, and agree with what is returned."""
    cases = make_cases("books", "films")
    result = run(*cases)

    assert result == run.stored()
    assert "complete" == result.status
    assert [(case.id, "clean", 2) for case in cases] == [
        (case.case, case.verdict, case.trials) for case in result.cases
    ]
    assert {"python": "3.11.7"} == result.cases[0].versions
    plan = msgspec.json.decode((run.session.directory / "run.json").read_bytes())
    assert [(case.id, 7, 2) for case in cases] == [
        (case["case"], case["seed"], case["trials"]) for case in plan["cases"]
    ]
    assert cases == [Case.from_json(case["fields"]) for case in plan["cases"]]
    assert (run.session.run, run.session.environment) == (plan["run"], plan["environment"])
    assert [2, 2] == [StoredCase(run.session.history_path(case)).tally().trials for case in cases]
    assert 2 == len(run.backend.hosts)


def test_schedules_share_host(run):
    """Cases that are alike but for their schedule are hosted once, and have a result each."""
    both = [
        make_case(id=f"books::daemon::default::{name}", schedule=name, trials=2) for name in ("natural", "perturbed")
    ]
    assert ["natural", "perturbed"] == [result.schedule for result in run(*both).cases]
    assert 1 == len(run.backend.hosts)


def test_watcher(run):
    """Who watches learns of each case's begin, of its trials, and of its end."""
    (case,) = make_cases("books")
    run.session.parallel = 1
    run(case)
    assert [("begins", case.id), ("goes on", 1), ("goes on", 2), ("clean", case.id)] == run.watcher.events


def test_missing_runtime(run):
    """A case whose runtime is not on this machine is skipped with the reason; the next one runs."""
    missing, here = make_cases("books", runtime="missing") + make_cases("films")
    result = run(missing, here)

    assert [(missing.id, "it is not on this machine")] == [(case.case, case.reason) for case in result.skipped]
    assert [here.id] == [case.case for case in result.cases]
    assert ("it is not on this machine", missing.id) == run.watcher.events[0]
    assert "complete" == run.stored().status


def test_failed_case(run):
    """An error is raised, and the results of the cases before it are on disk."""
    books, films = make_cases("books", "films")

    def answer(name):
        if len(run.backend.hosts) == 2:
            raise InfrastructureError("no space left")
        return {}

    run.locust.answer = answer
    with pytest.raises(InfrastructureError, match="no space left"):
        run(books, films)
    assert ("interrupted", [books.id]) == (run.stored().status, [case.case for case in run.stored().cases])


@pytest.mark.parametrize(("name", "trials"), [("2.0", 1), ("c1.0", 0)])
def test_interrupt(run, name, trials):
    """Ctrl-C ends the run as interrupted, with what was kept of the case under way; those after it are not begun."""

    def answer(asked):
        if asked == name:
            raise KeyboardInterrupt
        return {}

    run.locust.answer = answer
    run.session.parallel = 1
    result = run(*make_cases("books", "films"))

    assert result == run.stored()
    assert ("interrupted", [("inconclusive", trials)]) == (
        result.status,
        [(case.verdict, case.trials) for case in result.cases],
    )
    (case,) = result.cases
    assert f"stopped after {trials} of 2 trials: too few effective trials ({trials}) to judge by" == case.reason
    assert (True, False) == (case.stopped, case.met)
    assert [case] == [
        msgspec.structs.replace(again, duration_s=case.duration_s, versions=case.versions)
        for again in regrade(run.session.directory).cases
    ]


def test_interrupt_between_cases(run, monkeypatch):
    """Ctrl-C while no case is under way ends the run in the same way."""

    def case_begins(case):
        if case.id.startswith("films"):
            raise KeyboardInterrupt

    monkeypatch.setattr(run.watcher, "case_begins", case_begins)
    result = run(*make_cases("books", "films"))
    assert ("interrupted", 1) == (result.status, len(result.cases))
    assert result == run.stored()


def test_expectation(run):
    """Each result says whether the case came to what is declared."""
    cases = make_cases("books", expectation=make_expectation("race")) + make_cases("films")
    assert [False, True] == [result.met for result in run(*cases).cases]


def test_one_case(run):
    """A case that is run by itself is in the result too."""
    (case,) = make_cases("books")
    with run.session as session:
        result, stopped = session.run_one(case, run.backend, SilentWatcher())
    assert not stopped
    assert [result] == session.result("complete").cases


def test_corrected_result(run):
    """A result that was made elsewhere is kept, and can be put right."""
    (result,) = run(*make_cases("books")).cases
    other = msgspec.structs.replace(result, case="films::daemon::default::natural")
    run.session.add(other)
    run.session.correct(result, msgspec.structs.replace(result, reason="put right"))
    kept = run.session.result("complete").cases
    assert [("books", "put right"), ("films", result.reason)] == [
        (case.case.partition("::")[0], case.reason) for case in kept
    ]


@pytest.mark.parametrize(("parallel", "users"), [(3, 45), (None, 15 * (os.cpu_count() or 1))])
def test_locust_users(tmp_path, monkeypatch, parallel, users):
    """Locust has users for every trial that can be under way; by default that is one a core."""
    wanted = []
    monkeypatch.setattr(session_module, "LocustClient", lambda count, log: wanted.append((count, log)) or FakeLocust())
    with Session(tmp_path, parallel) as session:
        assert [(users, session.directory / "locust.log")] == wanted


def test_silence():
    """Who is not watched needs no watcher of its own."""
    silent, (case,) = SilentWatcher(), make_cases("books")
    silent.case_begins(case)
    silent.case_goes_on(case, None)
    silent.case_ends(case, None)
    silent.case_skipped(case, "a reason")
