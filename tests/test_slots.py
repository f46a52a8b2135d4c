"""How schedules share the slots of a host, on fake servers; tests/e2e/test_turns.py has real ones."""

import threading

import pytest
from build import make_case
from fakes import FakeHost

from harness.errors import InfrastructureError

BOTH = ("natural", "perturbed")


def make_host(count, *, alone=True, schedules=BOTH):
    return FakeHost(make_case(), count, alone=alone, schedules=schedules)


def use(host, schedule):
    """Take a slot and give it back: its process, which must be of that schedule."""
    with host.cold(schedule) as slot:
        process, given = host.live[slot.name]
        assert (schedule, schedule) == (slot.slot.schedule, given)
    return process


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_each_process_is_cold(count, alone):
    """Every slot that is taken has a process that was never used, with the schedule asked for."""
    host = make_host(count, alone=alone)
    used = [use(host, schedule) for _ in range(20) for schedule in BOTH]
    assert 40 == len(set(used))


def test_slots_are_shared_evenly():
    """Each schedule has half of the slots, though only one of them uses its slots up."""
    host = make_host(12)
    assert 6 == sum(given == "natural" for _, given in host.live.values())
    for _ in range(30):
        use(host, "natural")
    assert 6 == sum(given == "natural" for _, given in host.live.values())


def test_ended_schedule_gives_slots_back():
    """A schedule that needs no more processes leaves its slots to the others."""
    host = make_host(12)
    host.end_schedule("natural")
    assert {"perturbed"} == {given for _, given in host.live.values()}
    with pytest.raises(InfrastructureError, match="no cold interpreter"):
        host.take("natural", timeout=0.0)


def test_server_wide_restart_waits():
    """All natural processes are used, but a restart would hit the perturbed one that is in use: it waits."""
    host = make_host(2, alone=False)
    use(host, "natural")
    first = host.live["s1"]
    with host.cold("perturbed") as slot:
        assert "s1" == slot.name
        with pytest.raises(InfrastructureError):
            host.take("natural", timeout=0.0)
        assert first == host.live["s1"]
    use(host, "natural")
    assert first != host.live["s1"]


@pytest.mark.parametrize("alone", [True, False])
def test_two_share_one_slot(alone):
    """Without regard to who waits, each would forever kill the process that the other one waits for."""
    host = make_host(1, alone=alone)
    counts = dict.fromkeys(BOTH, 0)

    def want(schedule):
        for _ in range(25):
            use(host, schedule)
            counts[schedule] += 1

    threads = [threading.Thread(target=want, args=(schedule,)) for schedule in BOTH]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert {"natural": 25, "perturbed": 25} == counts


def test_a_case_alone_has_all_slots():
    """Without further schedules every slot has the case's own."""
    host = make_host(3, schedules=())
    assert {"natural"} == {given for _, given in host.live.values()}
