"""Which of the tests that pytest collected have come to their end: only then is its run complete."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from harness.cases.case import Case


@dataclass
class CollectedTests:
    """The tests of a pytest session that run cases. Its plain data travels from a worker of pytest-xdist."""

    cases: dict[str, Case] = field(default_factory=dict)
    """The case of each item of a scenario file, by its node id."""
    others: set[str] = field(default_factory=set)
    """The node ids of tests that use the fixture: what they run is known once they have run."""
    ran: set[str] = field(default_factory=set)
    """The ids of cases that came to their end."""
    over: set[str] = field(default_factory=set)
    """The node ids of tests that were skipped, or ran to their end."""

    def finished(self) -> set[str]:
        """The node ids of tests that came to their end. A case that ran together with another one counts though its
        own item was not reached."""
        return self.over | {node for node, case in self.cases.items() if case.id in self.ran}

    def unfinished(self) -> set[str]:
        """The node ids of all others."""
        return (self.cases.keys() | self.others) - self.finished()

    def of_worker(self) -> dict[str, Any]:
        """What the controller of pytest-xdist has to know: node ids of all tests, and of those that are finished."""
        return {"tests": sorted(self.cases.keys() | self.others), "finished": sorted(self.finished())}


@dataclass
class WorkerRuns:
    """What the controller of pytest-xdist knows of its workers; one that died has said nothing."""

    directories: list[str] = field(default_factory=list)
    tests: set[str] = field(default_factory=set)
    finished: set[str] = field(default_factory=set)

    def add(self, directory: str, tests: Iterable[str], finished: Iterable[str]) -> None:
        if directory and directory not in self.directories:  # pytest-xdist tells twice of a worker that was stopped
            self.directories.append(directory)
        self.tests.update(tests)
        self.finished.update(finished)

    def unfinished(self) -> set[str]:
        return self.tests - self.finished
