"""Who waits for whom in a process that hangs."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.records import ThreadStack

# Frames shown of a thread, the innermost ones: enough to reach the site's own code below threading and importlib.
_FRAMES = 6
# Stacks shown of a hang that is no cycle: what waits and who holds it fit on a screen.
_STACKS = 4
# As harness/inside/stacks.py names the locks of imports.
_IMPORT = re.compile(r"import lock|import of")
_OURS = ("/harness/inside/", "<frozen importlib", "<frozen zipimport")


def waiting_story(stacks: Sequence[ThreadStack]) -> tuple[str, tuple[str, ...]]:
    """What the threads wait for in one sentence, and the stacks that show it; ("", ()) where nothing is known.

    A cycle is two or more threads each of which waits for a lock that the next one holds, as far as the owners of
    locks are known. Where they are not (Python 2's import lock, plain locks), threads are counted by what they wait
    for, with one stack for each lock.
    """
    waiting = [stack for stack in stacks if stack.waits_for]
    if not waiting:
        return "", ()
    cycle = _cycle(waiting)
    if cycle:
        sentence = " and ".join(f"thread {one.thread} waits for {one.waits_for}, held by {one.owner}" for one in cycle)
        return sentence, tuple(_lines(cycle))
    # Of the threads that wait for one lock, the one at the rarest place: it got there past another lock.
    places = Counter((stack.lock, stack.frames[-1]) for stack in waiting if stack.frames)
    rarest = sorted(waiting, key=lambda one: (-places[one.lock, one.frames[-1]] if one.frames else 0, -one.thread))
    different = list({stack.lock: stack for stack in rarest}.values())
    counts = Counter(stack.lock for stack in waiting)
    waits = ", ".join(
        f"{counts[stack.lock]} wait{'s' if counts[stack.lock] == 1 else ''} for {stack.waits_for}"
        for stack in sorted(different, key=lambda stack: stack.waits_for)
    )
    owners = {stack.owner for stack in waiting}
    holders = [stack for stack in stacks if stack.thread in owners and stack not in different]
    return f"of {len(stacks)} threads {waits}", tuple(_lines([*different, *holders][:_STACKS]))


def import_is_awaited(stacks: Iterable[ThreadStack]) -> bool:
    """Is the hang one of imports? Where there is a cycle only its threads count: the others wait because of it."""
    waiting = [stack for stack in stacks if stack.waits_for]
    return any(_IMPORT.search(stack.waits_for) for stack in _cycle(waiting) or waiting)


def _cycle(waiting: Iterable[ThreadStack]) -> list[ThreadStack]:
    by_thread = {stack.thread: stack for stack in waiting}
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
        own = [frame for frame in stack.frames if not any(part in frame.file for part in _OURS)]
        for frame in (own or stack.frames)[-_FRAMES:]:
            yield f'  File "{frame.file}", line {frame.line}, in {frame.function}'
            if frame.source:
                yield f"    {frame.source}"
