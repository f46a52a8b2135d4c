"""A control on a made-up server: the requests of a trial, one after another."""

from functools import partialmethod

import pytest
from build import make_case
from fakes import FakeHost, FakeLocust

from harness.errors import InfrastructureError
from harness.hosting.slot import ColdSlot
from harness.records import ThreadStack
from harness.run.control import run_control


@pytest.fixture
def control_of(monkeypatch):
    """The control on a host, whose answers differ from right ones as `answer` says."""
    monkeypatch.setattr(ColdSlot, "watch_idle", partialmethod(ColdSlot.watch_idle, 0.0))

    def control_of(host, answer=lambda name: {}, schedule=None):
        FakeLocust(host, answer).takes_over(monkeypatch)
        return run_control(host, 3, schedule)

    return control_of


def test_requests_of_trial(control_of):
    """It sends as many requests as a trial, in the order of its users, to one fresh process."""
    host = FakeHost(make_case(users=3, follow_up=2))
    control = control_of(host)

    assert [(0, 0, 1), (1, 1, 2), (2, 0, 3), (3, 0, 4), (4, 1, 5)] == [
        (answer.user, answer.request, answer.count) for answer in control.answers
    ]
    assert [["c3.0", "c3.1", "c3.2", "c3.3", "c3.4"]] == list(host.served.values())
    assert [True] == [process.fresh for process in control.evidence.processes]
    assert [{"umask": "022"}] == [state.entries for state in control.evidence.states]


@pytest.mark.parametrize(("cpu", "idle"), [((0.0, 0.0), True), ((0.0, 1.0), False)])
def test_open_request(control_of, cpu, idle):
    """Nothing is sent after a request left open; a process that then stands still tells its stacks."""
    host = FakeHost(make_case(follow_up=3))
    host.cpu, host.stacks = iter(cpu), (ThreadStack(thread=1, frames=()),)
    control = control_of(host, lambda name: {"failure": "open"} if name == "c3.1" else {})

    assert [None, "open"] == [answer.failure for answer in control.answers]
    assert [idle] == [process.idle for process in control.evidence.processes]
    assert idle == bool(control.evidence.stacks)
    assert () == control.evidence.states


def test_other_failure(control_of):
    """A lost connection does not end it: the server may have another process for the next request."""
    control = control_of(FakeHost(make_case()), lambda name: {"failure": "reset"} if name == "c3.0" else {})
    assert ["reset", None, None] == [answer.failure for answer in control.answers]


def test_schedule(control_of):
    """It is made on a process of the schedule that is asked for."""
    host = FakeHost(make_case(), schedules=("natural", "perturbed"))
    schedules = dict(host.live.values())
    control = control_of(host, schedule="perturbed")
    assert ["perturbed"] == [schedules[watched.process] for watched in control.evidence.processes]


def test_failed_exchange(control_of):
    """When the machine fails, so does the control, and its slot is given back."""

    def answer(name):
        raise InfrastructureError("out of sockets")

    host = FakeHost(make_case())
    with pytest.raises(InfrastructureError, match="out of sockets"):
        control_of(host, answer)
    assert host.is_idle()


def test_dead_server(control_of):
    """A server that has ended is told at once."""
    host = FakeHost(make_case())
    host.dead = True
    with pytest.raises(InfrastructureError, match="has ended"):
        control_of(host)
