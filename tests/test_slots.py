"""How the slots of a host are dealt between schedules. Made-up servers; tests/e2e/test_turns.py has real ones."""

import itertools
import threading

import pytest
from build import make_case

from harness.errors import InfrastructureError
from harness.hosting.host import Host, Slot
from harness.records import ProcessId

BOTH = ("natural", "perturbed")


class MadeUp(Host):
    """Its processes are there at once, each of the schedule that was put down for it last."""

    backend = "local"

    def __init__(self, count, *, alone=True, restart="respawn", schedules=BOTH):
        super().__init__(make_case(restart=restart), {}, schedules)
        self._alone = alone
        self._pids = itertools.count(1)
        self._put = {}
        self.live = {}
        for number in range(count):
            slot = Slot(f"s{number}", ("127.0.0.1", 0), {}, self._deal())
            self._slots.append(slot)
            self._put_schedule(slot)
        self._make_cold(self._slots, {})

    def _put_schedule(self, slot):
        self._put[slot.name] = slot.schedule

    def _make_cold(self, slots, live):
        for slot in slots:
            self.live[slot.name] = (ProcessId(next(self._pids), 0), self._put[slot.name])

    def _processes(self):
        return {name: [process] for name, (process, _) in self.live.items()}

    def _is_ready(self, slot, process):
        return True

    @property
    def restarts_alone(self):
        return self._alone

    def check_alive(self):
        pass

    def recent_log(self):
        return []

    def __enter__(self):
        return self

    def _none(self, *_):
        raise NotImplementedError

    __exit__ = abort = cpu_seconds = resident_mib = read_inside = read_stacks = read_states = take_log = forget = _none


def use(host, schedule):
    """Take a slot and give it back: its process, which must be of that schedule."""
    with host.cold(schedule) as slot:
        process, given = host.live[slot.name]
        assert (schedule, schedule) == (slot.schedule, given)
    return process


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_each_trial_gets_a_cold_process_of_its_schedule(count, alone):
    host = MadeUp(count, alone=alone)
    used = [use(host, schedule) for _ in range(20) for schedule in BOTH]
    assert 40 == len(set(used))


def test_slots_are_dealt_evenly():
    host = MadeUp(12)
    assert 6 == sum(given == "natural" for _, given in host.live.values())
    for _ in range(30):
        use(host, "natural")
    assert 6 == sum(given == "natural" for _, given in host.live.values())


def test_what_is_not_wanted_any_more_leaves_its_slots_to_the_others():
    host = MadeUp(12)
    host.end_schedule("natural")
    assert {"perturbed"} == {given for _, given in host.live.values()}
    with pytest.raises(InfrastructureError, match="no cold interpreter"):
        host.take("natural", timeout=0.0)


def test_a_method_that_hits_all_slots_waits_for_those_who_can_use_one():
    """A natural process is wanted, and all have been used: those who can still use a disturbed one come first."""
    host = MadeUp(2, alone=False)
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
    host = MadeUp(1, alone=alone)
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
    host = MadeUp(3, schedules=())
    assert {"natural"} == {given for _, given in host.live.values()}
