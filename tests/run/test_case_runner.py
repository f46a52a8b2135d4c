"""A case on a made-up server: which trials it makes, and when a further control is asked."""

import itertools
from types import SimpleNamespace

import pytest
from build import PAGE, make_case, make_expectation
from fakes import FakeHost, FakeLocust

from harness.checkers.yardstick import CONTROLS
from harness.errors import BadInput, InfrastructureError
from harness.run.cores import Cores
from harness.run.runner import LATE_CONTROLS, CaseRunner
from harness.run.survival import SERVER_ENDED
from harness.store.history import HistoryWriter
from harness.store.stored_case import StoredCase
from harness.verdict import SETTLED_AFTER, conclude

RACE = make_expectation("race", {"ok": "expected", "error": "acceptable"})
FAILED = {"status": 500}


def second_fails(name):
    """The second request of each stampede, and of no control."""
    return FAILED if name.endswith(".1") and not name.startswith("c") else {}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A runner with its host, begun or `played` to its end; `stored` reads its history."""
    with_history = []

    def make(answer=lambda name: {}, **changes):
        case = make_case(**{"trials": 4} | changes)
        host = FakeHost(case)
        locust = FakeLocust(host, answer).takes_over(monkeypatch)
        path = tmp_path / f"{len(with_history)}.jsonl"
        with_history.append(HistoryWriter(path, case))
        runner = CaseRunner(case, host, locust, with_history[-1])

        def play():
            runner.begin()
            while (number := runner.due()) is not None:
                runner.trial(number, Cores(2))
            return runner.tally

        return SimpleNamespace(host=host, runner=runner, play=play, stored=lambda: StoredCase(path))

    yield make
    for history in with_history:
        history.__exit__()


def test_all_trials(made):
    """A sound case begins with its controls and makes every trial; all of it is in the history."""
    it = made()
    tally = it.play()

    assert (4, 4, 0) == (tally.trials, tally.effective, tally.bad)
    stored = it.stored()
    assert [1, 2] == [control.number for control in stored.controls]
    assert [1, 2, 3, 4] == [trial.number for trial in stored.trials()]
    assert stored.controls[0].begin == tally.begin
    assert tally == stored.tally()


@pytest.mark.parametrize(("trials", "full", "made_trials"), [(30, False, SETTLED_AFTER), (30, True, 30), (4, False, 4)])
def test_settled_race(made, trials, full, made_trials):
    """An expected race that showed ends the case once its rate is known, unless all trials are wanted."""
    tally = made(second_fails, expectation=RACE, trials=trials, full=full).play()
    assert (made_trials, made_trials) == (tally.trials, tally.bad)


def test_unsettled_race(made):
    """An expected race that did not show is looked for to the last trial."""
    assert 15 == made(expectation=RACE, trials=15).play().trials


class TestRefusedControls:
    def test_broken_site(self, made):
        """A site that fails one request at a time too gets no trial."""
        it = made(lambda name: FAILED if name == "c1.0" else {})
        tally = it.play()
        assert "error" == tally.broken.broken_class
        assert 0 == tally.trials
        assert ["c1.0", "c1.1", "c1.2", "c2.0", "c2.1", "c2.2"] == list(itertools.chain(*it.host.served.values()))

    def test_slow_site(self, made, monkeypatch):
        """Nor does one whose process still works when the time is over: that proves nothing."""
        monkeypatch.setattr("harness.hosting.slot.ColdSlot.watch_idle", lambda slot: slot.watch())
        tally = made(lambda name: {"failure": "open"} if name == "c2.0" else {}).play()
        assert "raise load.timeout" in tally.inconclusive
        assert (None, 0) == (tally.broken, tally.trials)

    def test_wrong_question(self, made):
        """A path that the site refuses is an error of whoever asked."""
        with pytest.raises(BadInput, match="404"):
            made(lambda name: {"status": 404}).play()


class TestLateControls:
    @pytest.mark.parametrize(
        ("outcome", "answer", "asked"),
        [
            ("wrong", lambda name: {"status": 404} if name.endswith(".1") and name[0] != "c" else {}, True),
            ("poisoned", lambda name: FAILED if ".f" in name else {}, True),
            ("error", second_fails, False),
            ("ok", lambda name: {}, False),
        ],
    )
    def test_when_asked(self, made, outcome, answer, asked):
        """Only what the clock may have done is checked by further controls, and by no more than so many."""
        it = made(answer, trials=LATE_CONTROLS + 3)
        tally = it.play()

        assert LATE_CONTROLS + 3 <= tally.outcomes[outcome]
        assert CONTROLS + asked * LATE_CONTROLS == len(it.stored().controls)

    def test_wrong_state(self, made):
        """A state that only trials leave behind is checked in the same way."""

        def answer(name):
            it.host.state = {"umask": "022" if name.startswith("c") else "000"}
            return {}

        it = made(answer, trials=1)
        assert 1 == it.play().outcomes["wrong-state"]
        assert CONTROLS + 1 == len(it.stored().controls)

    def test_absolved_answer(self, made):
        """A page that a further control gets too was changed by the clock, and not by a race."""
        minutes = {"c1": 1, "c2": 1}
        it = made(lambda name: {"body": f"{PAGE}<p>It is 12:0{minutes.get(name.partition('.')[0], 2)}.</p>"})
        tally = it.play()

        assert (4, 0) == (tally.trials, tally.bad)
        assert CONTROLS + 1 == len(it.stored().controls)


class TestStop:
    def test_before_trial(self, made):
        """A trial that is not begun when the run ends is not made."""
        it = made()
        it.runner.begin()
        it.runner.stop.set()
        it.runner.trial(1, Cores(2))
        assert [] == list(it.stored().trials())
        assert {"c1.0", "c2.0"} == {served[0] for served in it.host.served.values()}

    def test_within_trial(self, made):
        """A trial whose server is taken away says nothing about the site, and is not kept."""

        def answer(name):
            if name == "1.0":
                it.runner.stop.set()
            return {}

        it = made(answer)
        it.runner.begin()
        it.runner.trial(1, Cores(2))
        assert [] == list(it.stored().trials())
        assert 0 == it.runner.tally.trials
        assert it.host.is_idle()


class TestDeadServer:
    """A server that ends in the middle of a trial."""

    @pytest.fixture
    def it(self, made):
        """Its second trial loses an answer, and then the server is gone."""

        def answer(name):
            if name.startswith("2."):
                it.host.dead = True
                return {"failure": "reset"} if name.endswith(".1") else {}
            return {}

        it = made(answer)
        return it

    def test_run_ends(self, it):
        """The run ends with what the server said, and the trial counts for nothing."""
        with pytest.raises(InfrastructureError, match="the server has ended"):
            it.play()
        assert (1, {"ok": 3}) == (it.runner.tally.trials, it.runner.tally.outcomes)

    def test_record(self, it):
        """The trial is in the history as one that proves nothing: judged again it is no race."""
        with pytest.raises(InfrastructureError):
            it.play()
        void = [graded.void for _, graded in it.stored().graded()]
        assert ["", SERVER_ENDED] == void
        assert "inconclusive" == conclude(it.stored().tally()).name

    def test_living_server(self, made):
        """A near-twin: an answer is lost, and the server lives. That is the site's."""
        tally = made(lambda name: {"failure": "reset"} if name == "2.1" else {}).play()
        assert (4, 1) == (tally.trials, tally.outcomes["dropped"])


def test_what_ran_out_ends_the_case(made):
    """After a trial that met a limit no more are made: they would meet it too."""
    body = "[Errno 24] Too many open files"
    tally = made(lambda name: {"failure": "refused", "body": body} if name == "2.1" else {}).play()
    assert (2, 1) == (tally.trials, tally.void.total())
