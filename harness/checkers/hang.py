"""Who waits for whom in a process that hangs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from harness.records import Frame, ThreadStack

_FRAMES = 6
_OURS = ("/harness/inside/", "<frozen importlib", "<frozen zipimport")


def waiting_story(stacks: Sequence[ThreadStack]) -> tuple[str, tuple[str, ...]]:
    """What the threads wait for in one sentence, and the stacks that show it; ("", ()) where nothing is known.

    A cycle is two or more threads each of which waits for a lock that the next one holds, as far as locks tell their
    owners. Where they do not (Python 2's import lock, plain locks), the threads are told by what they wait for, one
    stack for each different wait.
    """
    waiting = [each for each in stacks if each.waits_for]
    if not waiting:
        return "", ()
    cycle = _cycle(waiting)
    if cycle:
        told = " and ".join(f"thread {each.thread} waits for {each.waits_for}, held by {each.owner}" for each in cycle)
        return told, tuple(_lines(cycle))
    # Of those that wait for one lock, the one that stands where fewest stand: it got there past another lock.
    places = Counter((each.lock, each.frames[-1]) for each in waiting if each.frames)
    rarest = sorted(waiting, key=lambda each: (-places[each.lock, each.frames[-1]] if each.frames else 0, -each.thread))
    different = list({each.lock: each for each in rarest}.values())
    counts = Counter(each.lock for each in waiting)
    told = ", ".join(
        f"{counts[each.lock]} wait{'s' if counts[each.lock] == 1 else ''} for {each.waits_for}"
        for each in sorted(different, key=lambda each: each.waits_for)
    )
    owners = {each.owner for each in waiting}
    holders = [each for each in stacks if each.thread in owners and each not in different]
    return f"of {len(stacks)} threads {told}", tuple(_lines([*different, *holders][:4]))


def _cycle(waiting: Iterable[ThreadStack]) -> list[ThreadStack]:
    by_thread = {each.thread: each for each in waiting}
    for first in by_thread.values():
        path = [first]
        while (following := by_thread.get(path[-1].owner)) is not None:
            if following in path:
                return path[path.index(following) :] if len(path) > 1 else []
            path.append(following)
    return []


def _lines(stacks: Iterable[ThreadStack]) -> Iterable[str]:
    for stack in stacks:
        yield f"thread {stack.thread}" + (f", waits for {stack.waits_for}" if stack.waits_for else "")
        for frame in _own(stack.frames)[-_FRAMES:]:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            if frame.source:
                yield f"    {frame.source}"


def _own(frames: Sequence[Frame]) -> list[Frame]:
    return [each for each in frames if not any(part in each.file for part in _OURS)] or list(frames)
