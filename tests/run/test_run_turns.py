"""Cases that take turns on one made-up host: in which order, until when, and what is left when one of them fails."""

import threading
import time

import pytest
from build import make_case, make_expectation
from fakes import FakeHost, FakeLocust

from harness.errors import InfrastructureError
from harness.run.turns import in_turns, run_cases
from harness.store.stored_case import StoredCase
from harness.verdict import SETTLED_AFTER

SECONDS = 20.0  # in which what another thread does must be seen
BOTH = ("natural", "perturbed")
RACE = make_expectation("race", {"ok": "expected", "error": "acceptable"})


def make_both(**changes):
    """A natural and a perturbed case."""
    return [make_case(**{"id": f"books::daemon::default::{name}", "schedule": name} | changes) for name in BOTH]


class TestGroups:
    def test_schedules_together(self):
        """Neighbours that are alike but for their schedule take turns."""
        both, other = make_both(), make_case(id="books::embedded::default::natural")
        assert [both, [other]] == in_turns([*both, other])

    def test_reloads_apart(self):
        """A process that reloads its script keeps its schedule: each case is by itself."""
        natural, perturbed = make_both(restart="reload")
        assert [[natural], [perturbed]] == in_turns([natural, perturbed])


class Run:
    """Cases that run on a host of `count` slots, and the schedules in the order of their trials' ends."""

    def __init__(self, tmp_path, monkeypatch):
        self._path, self._monkeypatch = tmp_path, monkeypatch
        self.schedules = []

    def __call__(self, cases, answer=lambda name: {}, *, parallel=1, count=4):
        self.host = FakeHost(cases[0], count, schedules=[case.schedule for case in cases])
        locust = FakeLocust(self.host, answer).takes_over(self._monkeypatch)
        self.paths = [self._path / f"{number}.jsonl" for number, _ in enumerate(cases)]
        return run_cases(cases, self.host, locust, self.paths, parallel, self._watch)

    def _watch(self, case, tally):
        self.schedules.append(case.schedule)

    def stored_trials(self):
        return [[trial.number for trial in StoredCase(path).trials()] for path in self.paths]


@pytest.fixture
def run(tmp_path, monkeypatch):
    return Run(tmp_path, monkeypatch)


def test_alternate(run):
    """Natural and perturbed trials take turns, so that both meet the same weather."""
    (natural, perturbed), stopped = run(make_both(trials=5))

    assert [*BOTH] * 5 == run.schedules
    assert (5, 5, False) == (natural.tally.trials, perturbed.tally.trials, stopped)
    assert natural.duration == pytest.approx(perturbed.duration)
    assert run.host.aborted.is_set()


def test_longer_case(run):
    """The case that is left goes on alone, and has the slots of the other one; its share of the time is larger."""
    natural, perturbed = make_both(trials=2)
    (first, second), _ = run([natural, perturbed.model_copy(update={"trials": 6})], count=2)

    assert [*BOTH, *BOTH] + ["perturbed"] * 4 == run.schedules
    assert {"perturbed"} == {schedule for _, schedule in run.host.live.values()}
    assert second.duration == pytest.approx(3 * first.duration)


def test_settled_case(run):
    """An expected race that showed makes room for the other case, which has all its trials."""
    natural, perturbed = make_both(trials=SETTLED_AFTER + 2)
    answer = {"status": 500}
    (first, second), _ = run(
        [natural.model_copy(update={"expectation": RACE}), perturbed],
        lambda name: answer if name.endswith(".1") and name[0] != "c" else {},
    )
    assert (SETTLED_AFTER, SETTLED_AFTER + 2) == (first.tally.trials, second.tally.trials)


def test_broken_cases(run):
    """Where no trial is made, each has half of the time."""
    begin = time.monotonic()
    (first, second), stopped = run(make_both(), lambda name: {"status": 500})

    assert (0, 0, False) == (first.tally.trials, second.tally.trials, stopped)
    assert first.duration == pytest.approx(second.duration)
    assert first.duration + second.duration <= time.monotonic() - begin
    assert [] == run.schedules


def test_parallel_trials(run):
    """As many trials are under way as are wanted: each of these waits for the other."""
    meeting = threading.Barrier(2)

    def answer(name):
        if name.endswith(".0") and name[0] != "c":
            meeting.wait(SECONDS)
        return {}

    runs, _ = run(make_both(trials=4, schedule="perturbed"), answer, parallel=2)
    assert [4, 4] == [case_run.tally.trials for case_run in runs]


def test_failed_trial(run):
    """An error in one trial ends the server, so that the others end at once; it is raised, and they are not kept."""
    ended = []

    def answer(name):
        if name == "3.0":
            raise InfrastructureError("no space left")
        if name == "2.0":
            ended.append(run.host.aborted.wait(SECONDS))
        return {}

    with pytest.raises(InfrastructureError, match="no space left"):
        run([make_case(schedule="perturbed")], answer, parallel=2)
    assert [True] == ended
    assert [[1]] == run.stored_trials()
    assert run.host.is_idle()


def test_failed_control(run):
    """An error before the first trial ends the server too."""

    def answer(name):
        raise InfrastructureError("out of sockets")

    with pytest.raises(InfrastructureError, match="out of sockets"):
        run([make_case()], answer)
    assert run.host.aborted.is_set()


@pytest.mark.parametrize(("at", "kept"), [("3.1", [[1, 2], [1, 2]]), ("c2.0", [[], []])])
def test_interrupt(run, at, kept):
    """Ctrl-C ends the cases with what was kept so far."""

    def answer(name):
        if name == at:
            raise KeyboardInterrupt
        return {}

    runs, stopped = run(make_both(), answer)
    assert stopped
    assert kept == run.stored_trials()
    assert [len(numbers) for numbers in kept] == [case_run.tally.trials for case_run in runs]
