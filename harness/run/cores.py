"""How the cores of the machine are shared among stampedes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from harness.cases.case import Case

# Undisturbed threads race for a few microseconds only, and only while two of them can run: a core that another stampede
# keeps busy does not help them. But two stampedes at a time take less time in all, and their threads meet in other
# ways. So every third natural trial, beginning with the first, has two cores. Disturbed threads mostly wait for their
# delays: one core is enough for them.
UNCROWDED_EVERY = 3
UNCROWDED_CORES = 2


class Cores:
    """A core budget: each stampede takes one or two cores and waits until they are free."""

    def __init__(self, count: int) -> None:
        self._count = self._free = count
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, wanted: int) -> Iterator[None]:
        """Wait until that many cores are free (or all, if the machine has fewer), and hold them."""
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
