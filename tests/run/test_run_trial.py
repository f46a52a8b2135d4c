"""One trial on a made-up server: how long answers are waited for, and what is kept."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from build import make_answer, make_case, make_control, make_yardstick
from fakes import FakeHost, FakeLocust

from harness.checkers.grade import grade
from harness.errors import InfrastructureError
from harness.records import Evidence, ProcessId, State, ThreadStack
from harness.run.trial import compared, run_trial

GRACE = 100.0
OPEN = {"failure": "open"}
RESET = {"failure": "reset"}
BUSY = itertools.count(0.0)  # a second of CPU time between any two looks
YARDSTICK = make_yardstick(make_control(make_answer(0), make_answer(1, request=1)))
DEADLOCK = ThreadStack(thread=1, frames=(), for_good=True)


def second_of_stampede(changes):
    """Only the answer to the stampede's second request is not right."""
    return lambda name: changes if name == "1.1" else {}


@pytest.fixture
def made():
    """A host with what a trial was, once it was made by `run`."""

    def make(answer=lambda name: {}, *, late=0, grace=GRACE, reference=None, turn=None, **changes):
        host = FakeHost(make_case(**changes))
        locust = FakeLocust(host, answer)
        locust.late = late

        def run():
            with host.cold() as slot:
                return run_trial(slot, locust, 1, grace, reference, turn)

        return SimpleNamespace(host=host, locust=locust, run=run, outcomes=lambda: outcomes_of(run()))

    return make


def outcomes_of(trial):
    return grade(trial, YARDSTICK).outcomes


def test_sound_trial(made):
    """The stampede and the follow-up meet in one fresh process, whose recording is deleted afterwards."""
    it = made()
    trial = it.run()

    assert [(0, 0, 1), (1, 1, 2)] == [(answer.user, answer.request, answer.count) for answer in trial.answers]
    assert [3] == [answer.count for answer in trial.follow_up]
    (process,) = trial.evidence.processes
    assert (True, False, None) == (process.fresh, process.gone, process.idle)
    assert ["1.0", "1.1", "1.f0"] == [span.name for span in trial.evidence.inside[0].spans]
    assert [process.process] == it.host.forgotten
    assert grade(trial, YARDSTICK).effective


def test_black_box(made):
    """Without a probe nothing is known from inside, though /proc still says that the process is fresh."""
    evidence = made(black_box=True).run().evidence
    assert ((), ()) == (evidence.inside, evidence.states)
    assert evidence.processes[0].fresh


@pytest.mark.parametrize(("cpu", "outcome"), [(itertools.repeat(0.0), "hang"), (BUSY, "slow")])
def test_open_request(made, cpu, outcome):
    """A request left open is a hang where its process stands still, and slow where that uses CPU."""
    it = made(second_of_stampede(OPEN))
    it.host.cpu = cpu
    assert {"ok": 1, outcome: 1} == it.outcomes()
    assert GRACE <= it.locust.orders[0].waited


@pytest.mark.parametrize("for_good", [True, False])
def test_proven_deadlock(made, for_good):
    """Threads that wait for each other for good are not waited for until the grace ends; others are."""
    it = made(second_of_stampede(OPEN))
    it.host.stacks = (DEADLOCK,) if for_good else (ThreadStack(thread=1, frames=(), waits_for="a lock"),)
    trial = it.run()

    assert for_good == (it.locust.orders[0].waited < GRACE / 10)
    assert it.host.stacks == trial.evidence.stacks
    assert {"ok": 1, "hang": 1} == outcomes_of(trial)


def test_busy_process_untold(made):
    """A process that computes is not asked for its stacks: it is waited for, whatever they would prove."""
    it = made(second_of_stampede(OPEN))
    it.host.cpu, it.host.stacks = BUSY, (DEADLOCK,)

    assert () == it.run().evidence.stacks
    assert GRACE <= it.locust.orders[0].waited


def test_no_follow_up_of_hang(made):
    """A process that hangs gets no further requests, and is not asked for its state."""
    it = made(second_of_stampede(OPEN))
    trial = it.run()

    assert () == trial.follow_up
    assert () == trial.evidence.states
    assert 1 == len(it.locust.orders)


@pytest.mark.parametrize(
    ("late", "grace", "outcomes"),
    [
        (1, GRACE, {"ok": 3}),  # while the threads are looked at
        (2, GRACE, {"ok": 3}),
        (4, GRACE, {"ok": 3}),  # after they were
        (3, 0.1, {"ok": 3}),  # at the last moment
        (4, 0.1, {"hang": 2}),
    ],
)
def test_late_answers(made, late, grace, outcomes):
    """Answers count whenever they come within the grace, while the threads are looked at too."""
    assert outcomes == made(late=late, grace=grace).outcomes()


@pytest.mark.parametrize(("dies", "outcome"), [(True, "crash"), (False, "dropped")])
def test_lost_connection(made, dies, outcome):
    """Connections that end are a crash where the process ended too, and dropped where it lives."""

    def answer(name):
        if dies:
            it.host.gone.update(process for process, _ in it.host.live.values())
        return RESET

    it = made(answer, follow_up=0)
    assert {outcome: 2} == it.outcomes()


def test_death_while_waiting(made):
    """A request left open by a process that ended is a crash, not a hang."""

    def answer(name):
        it.host.gone.update(process for process, _ in it.host.live.values())
        return OPEN

    it = made(answer)
    assert {"crash": 2} == it.outcomes()


@pytest.mark.parametrize("changes", [{"status": 500}, {"body": "<p>Sorry.</p>"}])
def test_poisoned_process(made, changes):
    """Requests that follow one by one and still fail tell of a poisoned process; all of them are sent."""
    assert {"ok": 4, "poisoned": 1} == made(lambda name: changes if name == "1.f1" else {}, follow_up=3).outcomes()


def test_open_follow_up(made):
    """No request follows one left open."""
    trial = made(lambda name: OPEN if name == "1.f1" else {}, follow_up=3).run()
    assert [None, "open"] == [answer.failure for answer in trial.follow_up]


def test_turn_is_stampede_only(made):
    """What a stampede takes its turn for is given back before the requests that follow it."""
    events = []

    @contextmanager
    def turn():
        events.append("taken")
        yield
        events.append("given back")

    made(lambda name: events.append(name) or {}, turn=turn()).run()
    assert ["taken", "1.0", "1.1", "given back", "1.f0"] == events


def test_failed_load(made):
    """When Locust fails, so does the trial, and its slot is given back."""

    def answer(name):
        raise InfrastructureError("the Locust subprocess has ended")

    it = made(answer)
    with pytest.raises(InfrastructureError, match="has ended"):
        it.run()
    assert it.host.is_idle()


class TestCompared:
    STATE = State(process=ProcessId(1, 0), entries={"umask": "022", "cwd": "/"})

    def test_difference_kept(self, made):
        """Of a state only what is not as in the reference is kept; a missing entry is None."""
        reference = State(process=ProcessId(9, 0), entries={"umask": "077", "locale": "C", "same": 1})
        it = made(reference=reference)
        it.host.state = {"umask": "022", "same": 1}
        assert {"umask": "022", "locale": None} == it.run().evidence.states[0].entries

    def test_same_state(self):
        """Nothing is kept of a state that is as in the reference."""
        evidence = compared(Evidence(states=(self.STATE,)), self.STATE)
        assert ({},) == tuple(state.entries for state in evidence.states)

    def test_no_reference(self):
        """A state is kept whole where there is nothing to compare it with."""
        evidence = Evidence(states=(self.STATE,))
        assert evidence is compared(evidence, None)
