"""A trial that is done again on made-up servers: by its seed, by the orders that are known, and with less."""

import sys
from pathlib import Path

import pytest
from build import PAGE, make_answer, make_case, make_inside, make_request_span, make_trial
from fakes import FakeBackend, FakeLocust, FakeSnapshot

from harness.errors import BadInput
from harness.records import ThreadOrder
from harness.run.session import Session
from harness.runtimes.building import Runtime
from harness.search.replay import Replayer, ReplayTarget

VERSIONS = {"python": "3.11.7"}
OWN = ThreadOrder(runs=((0, 3), (1, 4)), steps=7, line_up=True)
OF_AGAIN = ThreadOrder(runs=((1, 4), (0, 3)), steps=7, followed=7)


@pytest.fixture
def session(tmp_path, monkeypatch):
    monkeypatch.setattr("harness.run.session.LocustClient", lambda users, log: FakeLocust())
    with Session(tmp_path / "results", 1) as session:
        yield session


class Server:
    """The target of a trial that failed on a server, done again on one whose answers are `answer(name)`."""

    def __init__(self, session, monkeypatch):
        self._session, self._monkeypatch = session, monkeypatch
        self.said = []

    def __call__(self, answer, *, minimised=False, versions=VERSIONS, strategy="", **changes):
        locust = self._session.locust = FakeLocust(answer=answer).takes_over(self._monkeypatch)
        self.backend = FakeBackend(locust)
        case = make_case(**{"users": 4, "threads": 4} | changes)
        target = ReplayTarget(case, 2, "failed-request", strategy, 77, versions=versions)
        replayer = Replayer(target, self._session, self.backend, None, self.said.append)
        return replayer.run(3, minimised=minimised)

    @property
    def cases(self):
        """The cases that ran; the first host is only asked for its versions."""
        return [host.case for host in self.backend.hosts[1:]]


def last_fails(name):
    return {"status": 500} if name.endswith(".1") and name[0] != "c" else {}


class TestOnServer:
    @pytest.fixture
    def replay(self, session, monkeypatch):
        return Server(session, monkeypatch)

    def test_reproduced(self, replay):
        """How often it failed in the same way is told; every trial is made, expected or not."""
        best, failed = replay(last_fails)
        assert (3, 3, 3) == (failed, best.failed, best.trials)
        assert ["reproduced 3 of 3 with 4 requests (GET /, GET /two/), 4 threads"] == replay.said

    @pytest.mark.parametrize(("strategy", "seed"), [("at-lines", 77), ("", None)])
    def test_same_seed(self, replay, strategy, seed):
        """Every process is disturbed by the seed of that trial, if that was disturbed."""
        replay(last_fails, strategy=strategy)
        assert [seed] == [case.perturb.seed for case in replay.cases]

    @pytest.mark.parametrize("answer", [lambda name: {}, lambda name: {"failure": "open"} if name == "1.1" else {}])
    def test_not_reproduced(self, replay, answer):
        """What does not fail, or fails in another way, is not reproduced, and not made smaller either."""
        best, failed = replay(answer, minimised=True)
        assert (0, 0) == (failed, best.failed)
        assert 1 == len(replay.cases)

    def test_made_smaller(self, replay):
        """The least that still fails is found; failures of smaller cases are not counted."""
        best, failed = replay(last_fails, minimised=True)
        assert 3 == failed
        assert (2, 1, 2) == (best.case.users, len(best.case.requests), best.case.threads)
        assert ["replay-1", "replay-2"] == [case.id.rpartition("::")[2] for case in replay.cases[:2]]

    def test_attempts_are_limited(self, replay, monkeypatch):
        """A case that fails however small it is made is not made smaller for ever."""
        monkeypatch.setattr("harness.search.replay.minimise.__defaults__", (2,))
        replay(last_fails, minimised=True, users=64)
        assert [64, 32, 16] == [case.users for case in replay.cases]

    def test_changed_runtime(self, replay):
        """On another Python nothing is done again."""
        with pytest.raises(BadInput, match=r"python was 3\.12\.0 and is 3\.11\.7"):
            replay(last_fails, versions={"python": "3.12.0"})
        assert [] == replay.cases

    def test_interrupt(self, replay):
        """Ctrl-C in an attempt ends all of them."""

        def answer(name):
            if name == "2.0":
                raise KeyboardInterrupt
            return {}

        with pytest.raises(KeyboardInterrupt):
            replay(answer)
        assert [] == replay.said


class TestInLane:
    @pytest.fixture
    def replay(self, session, tmp_path, monkeypatch):
        """Does the target again in processes whose trials are `trial(number)`: returns the result, how its trials were
        led, each kind once, and what was said."""
        script = tmp_path / "it.wsgi"
        script.write_text("application = None\n")
        runtime = Runtime("here", Path(sys.executable), tmp_path, (), tmp_path, {}, VERSIONS)

        def replay(trial, order, strategy="at-lines", versions=VERSIONS):
            said, snapshot = [], FakeSnapshot(trial)
            monkeypatch.setattr("harness.search.explorer.SnapshotProcess", snapshot)
            case = make_case(script_path=script)
            target = ReplayTarget(case, 2, "failed-request", strategy, 77, order, versions)
            result = Replayer(target, session, None, lambda name: runtime, said.append).run(2, minimised=False)
            return result, list(dict.fromkeys(snapshot.led)), said

        return replay

    def trial(self, status=200):
        """What makes trials whose second answer has this status."""

        def trial(number):
            spans = [make_request_span(user, name=f"{number}.{user}") for user in (0, 1)]
            answers = (make_answer(0), make_answer(1, status=status, body=PAGE))
            return make_trial(*answers, number=number, inside=(make_inside(*spans),), order=OF_AGAIN)

        return trial

    def test_enforced_orders(self, replay):
        """What fails by its seed is led by the order of the trial itself, and by that of the one that failed again."""
        (best, failed), led, said = replay(self.trial(500), OWN)

        assert [ThreadOrder(line_up=True, fine=True), OWN, OF_AGAIN] == led
        assert (6, 2) == (failed, best.failed)
        assert "reproduced 2 of 2 with its own order enforced, 100.0% of its steps followed" == said[1]
        assert 3 == len(said)

    def test_nothing_fails(self, replay):
        """Where its seed reproduces nothing, its own order is the only one that can be enforced."""
        (best, failed), led, _ = replay(self.trial(), OWN)
        assert [ThreadOrder(line_up=True, fine=True), OWN] == led
        assert (0, 0) == (failed, best.failed)

    def test_unknown_order(self, replay):
        """A trial whose order was not kept, of threads that nobody disturbed, is done again by its seed alone."""
        (_, failed), led, said = replay(self.trial(), ThreadOrder(), strategy="")
        assert [ThreadOrder()] == led
        assert (0, 1) == (failed, len(said))

    def test_changed_runtime(self, replay):
        """The runtime that counts is the lane's own: there need be no server."""
        with pytest.raises(BadInput, match="has changed since that run"):
            replay(self.trial(), OWN, versions={"python": "3.12.0"})
