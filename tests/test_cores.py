"""Which stampedes run at a time."""

import threading

import pytest
from build import make_case

from harness.run.cores import Cores, cores_of

SECONDS = 10.0


def test_cores_of_trial():
    """Every third natural stampede has two cores, the first one among them; a perturbed one has one."""
    assert [2, 1, 1, 2, 1, 1] == [cores_of(make_case(schedule="natural"), number) for number in range(1, 7)]
    assert {1} == {cores_of(make_case(schedule="perturbed"), number) for number in range(1, 7)}


@pytest.mark.parametrize(("count", "wanted", "waits"), [(2, 2, True), (2, 1, False), (3, 2, False), (4, 2, False)])
def test_too_few_cores(count, wanted, waits):
    """Beside a stampede on one core another one begins at once, or, with too few cores left, when that is over."""
    cores, inside = Cores(count), threading.Event()

    def other():
        with cores.taken(wanted):
            inside.set()

    thread = threading.Thread(target=other)
    with cores.taken(1):
        thread.start()
        assert inside.wait(0.2 if waits else SECONDS) is not waits
    assert inside.wait(SECONDS)
    thread.join()


def test_single_core():
    """Where there is one core, who wants two takes that one."""
    cores = Cores(1)
    for _ in range(2):
        with cores.taken(2):
            pass


def test_failing_stampede():
    """A stampede that fails gives its cores back."""
    cores = Cores(2)
    with pytest.raises(ZeroDivisionError), cores.taken(2):
        _ = 1 / 0
    with cores.taken(2):
        pass
