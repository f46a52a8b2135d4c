"""How the slots of a host are dealt between schedules. Made-up servers; tests/e2e/test_turns.py has real ones."""

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
def test_each_trial_gets_a_cold_process_of_its_schedule(count, alone):
    host = make_host(count, alone=alone)
    used = [use(host, schedule) for _ in range(20) for schedule in BOTH]
    assert 40 == len(set(used))


def test_slots_are_dealt_evenly():
    host = make_host(12)
    assert 6 == sum(given == "natural" for _, given in host.live.values())
    for _ in range(30):
        use(host, "natural")
    assert 6 == sum(given == "natural" for _, given in host.live.values())


def test_what_is_not_wanted_any_more_leaves_its_slots_to_the_others():
    host = make_host(12)
    host.end_schedule("natural")
    assert {"perturbed"} == {given for _, given in host.live.values()}
    with pytest.raises(InfrastructureError, match="no cold interpreter"):
        host.take("natural", timeout=0.0)


def test_a_method_that_hits_all_slots_waits_for_those_who_can_use_one():
    """A natural process is wanted, and all have been used: those who can still use a disturbed one come first."""
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
def test_two_that_want_the_only_slot_both_get_it(alone):
    """Each kills what the other one waits for, for ever, unless it asks who waits."""
    host = make_host(1, alone=alone)
    counts = dict.fromkeys(BOTH, 0)

    def want(schedule):
        for _ in range(25):
            use(host, schedule)
            counts[schedule] += 1

    threads = [threading.Thread(target=want, args=(schedule,)) for schedule in BOTH]
    for each in threads:
        each.start()
    for each in threads:
        each.join(20)
    assert {"natural": 25, "perturbed": 25} == counts


def test_a_case_alone_has_all_slots():
    host = make_host(3, schedules=())
    assert {"natural"} == {given for _, given in host.live.values()}
