"""The snapshot lane on made-up processes: which trials are made, what is kept of them, and what a server confirms."""

import sys
import threading
from pathlib import Path

import pytest
from build import make_answer, make_case, make_control, make_expectation, make_inside, make_request_span, make_trial
from fakes import FakeBackend, FakeLocust, FakeSnapshot

from harness.checkers.yardstick import CONTROLS
from harness.errors import BadInput, InfrastructureError
from harness.records import ThreadOrder
from harness.run.session import Session, SilentWatcher
from harness.runtimes.building import Runtime
from harness.search.explorer import TRIALS_ALONE, confirm, explore_case, explore_one
from harness.search.snapshot import ImportFailure
from harness.store.stored_case import StoredCase
from harness.verdict import SETTLED_AFTER

SECONDS = 20.0  # in which what another thread does must be seen
RACE = make_expectation("race", {"ok": "expected", "error": "acceptable"})
ORDER = ThreadOrder(runs=((0, 3), (1, 4)), steps=7)


def sound(number):
    spans = [make_request_span(user, name=f"{number}.{user}") for user in (0, 1)]
    return make_trial(number=number, inside=(make_inside(*spans),), order=ORDER)


def failing(number):
    """Its second request fails."""
    spans = [make_request_span(user, name=f"{number}.{user}") for user in (0, 1)]
    return make_trial(
        make_answer(0), make_answer(1, status=500), number=number, inside=(make_inside(*spans),), order=ORDER
    )


@pytest.fixture
def runtime(tmp_path):
    python = Path(sys.executable)
    return Runtime("here", python, python, (), tmp_path / "bytecode", {}, {"python": "3.11.7"})


class Exploration:
    """A case in the lane, and what it leaves."""

    def __init__(self, path, runtime, monkeypatch):
        self.path, self._runtime, self._monkeypatch = path, runtime, monkeypatch
        self.watched = []

    def __call__(self, trial=sound, control=lambda number: make_control(), *, parallel=1, like=None, **changes):
        self.snapshot = FakeSnapshot(trial, control)
        self._monkeypatch.setattr("harness.search.explorer.SnapshotProcess", self.snapshot)
        case = make_case(**{"trials": 6} | changes)
        tally, _ = explore_case(case, self._runtime, self.path, parallel, self._watch, like)
        return tally

    def _watch(self, case, tally):
        self.watched.append(tally.trials)

    def stored(self):
        return StoredCase(self.path)


@pytest.fixture
def explore(tmp_path, runtime, monkeypatch):
    return Exploration(tmp_path / "it.jsonl", runtime, monkeypatch)


def test_all_trials(explore):
    """A sound case has its controls and every trial, each with a number of its own, told as they come."""
    tally = explore()

    assert (6, 6, 0) == (tally.trials, tally.effective, tally.bad)
    assert CONTROLS == len(explore.stored().controls)
    assert [1, 2, 3, 4, 5, 6] == [trial.number for trial in explore.stored().trials()] == explore.watched
    assert (1, 1) == (explore.snapshot.started, explore.snapshot.ended)


@pytest.mark.parametrize(("trial", "runs"), [(failing, ORDER.runs), (sound, ())])
def test_kept_order(explore, trial, runs):
    """The order of its threads is kept of a trial that failed, and of no other."""
    explore(trial)
    assert {runs} == {stored.order.runs for stored in explore.stored().trials()}
    assert {ORDER.steps} == {stored.order.steps for stored in explore.stored().trials()}


@pytest.mark.parametrize(("full", "trials"), [(False, SETTLED_AFTER), (True, 30)])
def test_settled_race(explore, full, trials):
    """An expected race that showed ends the case once its rate is known, unless all trials are wanted."""
    assert trials == explore(failing, trials=30, full=full, expectation=RACE).trials


@pytest.mark.parametrize(
    ("control", "broken", "why"),
    [
        (make_control(make_answer(status=500)), "error", ""),
        (make_control(make_answer(failure="open")), None, "raise load.timeout"),
    ],
)
def test_refused_controls(explore, control, broken, why):
    """A site that fails one request at a time, or proves nothing so, gets no trial."""
    tally = explore(control=lambda number: control)
    assert 0 == tally.trials
    assert broken == (tally.broken and tally.broken.broken_class)
    assert why in tally.inconclusive
    assert 1 == explore.snapshot.ended


def test_failed_import(explore, runtime, monkeypatch):
    """A script that does not import is broken, with its error, live and graded again."""

    class Failing(FakeSnapshot):
        def __enter__(self):
            raise ImportFailure("it.wsgi: the script cannot be imported: RuntimeError: no settings")

    case = make_case()
    monkeypatch.setattr("harness.search.explorer.SnapshotProcess", Failing(sound, sound))
    tally, _ = explore_case(case, runtime, explore.path, 1, lambda *_: None)
    for judged in (tally, explore.stored().tally()):
        assert "error" == judged.broken.broken_class
        assert "RuntimeError: no settings" in judged.broken.summary
        assert 0 == judged.trials


def test_led_trials(explore):
    """Every trial is led like the one that is given, where one is."""
    explore(like=ORDER)
    assert [ORDER] * 6 == explore.snapshot.led


def test_parallel_processes(explore):
    """The first trials have the machine to themselves; then each of the processes has some: here they wait for it."""
    meeting = threading.Barrier(2)

    def trial(number):
        if number > TRIALS_ALONE:
            meeting.wait(SECONDS)
        return sound(number)

    assert TRIALS_ALONE + 4 == explore(trial, parallel=2, trials=TRIALS_ALONE + 4).trials
    assert (2, 2) == (explore.snapshot.started, explore.snapshot.ended)


def test_settled_alone(explore, monkeypatch):
    """Where the first trials settle the case, no further process is started."""
    monkeypatch.setattr("harness.verdict.SETTLED_AFTER", TRIALS_ALONE)
    assert TRIALS_ALONE == explore(failing, parallel=3, expectation=RACE).trials
    assert 1 == explore.snapshot.started


def test_failed_process(explore):
    """A process that ends is told, and the others make no further trial."""

    def trial(number):
        if number == TRIALS_ALONE + 1:
            raise InfrastructureError("the snapshot process ended")
        return sound(number)

    with pytest.raises(InfrastructureError, match="snapshot process ended"):
        explore(trial, parallel=2, trials=20_000)
    assert explore.snapshot.started == explore.snapshot.ended
    assert len(explore.watched) < 20_000 - 1


class TestSession:
    @pytest.fixture
    def case(self, tmp_path):
        script = tmp_path / "it.wsgi"
        script.write_text("application = None\n")
        return make_case(script_path=script, trials=12)

    @pytest.fixture
    def locust(self, monkeypatch):
        return FakeLocust().takes_over(monkeypatch)

    @pytest.fixture
    def session(self, tmp_path, locust):
        with Session(tmp_path / "results", 1) as session:
            yield session

    @pytest.fixture
    def candidate(self, session, case, runtime, monkeypatch):
        monkeypatch.setattr("harness.search.explorer.SnapshotProcess", FakeSnapshot(failing))
        return explore_one(session, case, runtime, SilentWatcher())

    @pytest.mark.parametrize(("trial", "verdict", "standing"), [(failing, "race", "candidate"), (sound, "clean", None)])
    def test_result(self, session, case, runtime, monkeypatch, trial, verdict, standing):
        """A race of this lane is a candidate; what it comes to is in the session's result."""
        monkeypatch.setattr("harness.search.explorer.SnapshotProcess", FakeSnapshot(trial))
        result = explore_one(session, case, runtime, SilentWatcher())

        assert (verdict, standing, "snapshot") == (result.verdict, result.standing, result.lane)
        assert [result] == session.result("complete").cases
        assert 12 == StoredCase(session.history_path(case)).tally().trials

    def test_syntax_error(self, session, case, runtime):
        """A script that cannot be compiled is told with its line, and nothing is run."""
        case.script_path.write_text("\napplication =\n")
        with pytest.raises(BadInput, match=r"it\.wsgi:2"):
            explore_one(session, case, runtime, SilentWatcher())
        assert [] == session.result("complete").cases

    @pytest.mark.parametrize(
        ("answer", "standing"),
        [
            (lambda name: {"status": 500} if name.endswith(".1") and name[0] != "c" else {}, "confirmed"),
            (lambda name: {"failure": "open"} if name.endswith(".1") and name[0] != "c" else {}, "candidate"),
            (lambda name: {}, "candidate"),
        ],
    )
    def test_confirmed(self, session, locust, case, candidate, answer, standing):
        """A server that shows a race of the same class confirms a candidate; another class, or none, does not."""
        locust.answer = answer
        settled = confirm(session, candidate, case, FakeBackend(locust))

        assert (standing, "race") == (settled.standing, settled.verdict)
        first, asked = session.result("complete").cases
        assert (settled, f"{case.id}::apache") == (first, asked.case)
