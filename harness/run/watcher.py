"""The progress events of a run."""

from __future__ import annotations

from typing import Protocol

from harness.cases.case import Case
from harness.result import CaseResult
from harness.verdict import Tally


class Watcher(Protocol):
    """Receives progress events."""

    def case_begins(self, case: Case) -> None: ...
    def case_goes_on(self, case: Case, tally: Tally) -> None: ...
    def case_ends(self, case: Case, result: CaseResult) -> None: ...
    def case_skipped(self, case: Case, reason: str) -> None: ...


class SilentWatcher:
    """Ignores progress events."""

    def case_begins(self, case: Case) -> None: ...
    def case_goes_on(self, case: Case, tally: Tally) -> None: ...
    def case_ends(self, case: Case, result: CaseResult) -> None: ...
    def case_skipped(self, case: Case, reason: str) -> None: ...
