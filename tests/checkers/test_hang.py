"""Who waits for whom in a process that hangs."""

from harness.checkers.hang import waiting_story
from harness.records import Frame, ThreadStack


def stack(thread, waits_for="", owner=0, lock=0, line=10, function="view"):
    frames = (Frame("/srv/site/views.py", line, function, "with lock:"),)
    return ThreadStack(thread=thread, frames=frames, waits_for=waits_for, owner=owner, lock=lock)


def test_cycle():
    """Two threads each of which waits for the lock that the other holds are told together, with both stacks."""
    told, lines = waiting_story([stack(1, "one", owner=2, lock=8), stack(2, "other", owner=1, lock=9), stack(3)])

    assert "thread 1 waits for one, held by 2 and thread 2 waits for other, held by 1" == told
    assert ["thread 1, waits for one", "thread 2, waits for other"] == [each for each in lines if "thread" in each]


def test_chain():
    """A thread that waits for one that waits for nobody is no cycle; the holder's stack is shown."""
    told, lines = waiting_story([stack(1, "one", owner=2, lock=8), stack(2)])

    assert "of 2 threads 1 waits for one" == told
    assert ["thread 1, waits for one", "thread 2"] == [each for each in lines if "thread" in each]


def test_owners_unknown():
    """Of those that wait for one lock the one is shown that stands where no other does: it got past another lock."""
    crowd = [stack(thread, "one", lock=8, line=14) for thread in (1, 2, 3)]
    told, lines = waiting_story([*crowd, stack(4, "one", lock=8, line=16), stack(5, "other", lock=9, line=16)])

    assert "of 5 threads 4 wait for one, 1 waits for other" == told
    assert {"thread 4, waits for one", "thread 5, waits for other"} == {each for each in lines if "thread" in each}


def test_nothing_known():
    """Threads that wait for no lock make no story."""
    assert ("", ()) == waiting_story([stack(1), stack(2)])
    assert ("", ()) == waiting_story([])
