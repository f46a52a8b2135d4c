"""How many cores a stampede has."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.cases.case import Case

# Left alone, threads race for a few microseconds only where two of them can run, and a core that another stampede keeps
# busy is not there for them; but two stampedes at a time are done sooner, and their threads meet in other ways. So of
# the natural trials every third has two cores, the first one among them. Disturbed threads wait for their delays,
# mostly: one core is enough.
UNCROWDED_EVERY = 3
UNCROWDED_CORES = 2


class Cores:
    """What stampedes share: so many of them can be under way as there are cores, each of which takes one or two."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait for so many to be free (for all, where there are fewer), and keep them."""
        wanted = min(wanted, self._count)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= wanted)
            self._free -= wanted
        try:
            yield
        finally:
            with self._changed:
                self._free += wanted
                self._changed.notify_all()


def cores_of(case: Case, number: int) -> int:
    """How many cores the stampede of this trial takes."""
    return UNCROWDED_CORES if case.schedule == "natural" and number % UNCROWDED_EVERY == 1 else 1
