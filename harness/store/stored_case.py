"""A case as its history has it: the only reader of histories, and the place where a stored case is graded again."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from harness.checkers.findings import TrialGrade
from harness.checkers.grade import grade
from harness.checkers.rules import lost_by
from harness.checkers.yardstick import CONTROLS, Yardstick
from harness.errors import HarnessError
from harness.records import Control, Leftovers, Trial
from harness.store.history import read, read_case, read_end, read_rules
from harness.verdict import Tally


class StoredCase:
    """A stored case, its controls and its yardstick. Trials are read one line at a time, never all at once."""

    def __init__(self, path: Path) -> None:
        """Raises BadInput: the file is not a history."""
        self.path = path
        self.case = read_case(path)
        self.rules, self.fail_on_hazard = read_rules(path)
        self.end = read_end(path)

    @property
    def lost(self) -> list[str]:
        """What its record lacks, in sentences."""
        return lost_by(self.rules)

    @cached_property
    def _beside_trials(self) -> tuple[Control | Leftovers, ...]:
        return tuple(record for record in read(self.path) if not isinstance(record, Trial))

    @property
    def controls(self) -> tuple[Control, ...]:
        """Those before the trials, and late ones. Raises BadInput."""
        return tuple(record for record in self._beside_trials if isinstance(record, Control))

    @property
    def leftovers(self) -> Leftovers | None:
        """What its processes left running. Raises BadInput."""
        return next((record for record in self._beside_trials if isinstance(record, Leftovers)), None)

    @cached_property
    def yardstick(self) -> Yardstick:
        """From all controls; controls that a run would refuse make the case inconclusive: it cannot be run again."""
        try:
            return Yardstick.of(self.case.requests, self.controls)
        except HarnessError as error:
            return Yardstick.unjudged(self.case.requests, self.controls, None, str(error))

    def trials(self) -> Iterator[Trial]:
        """Raises BadInput."""
        return (record for record in read(self.path) if isinstance(record, Trial))

    def graded(self) -> Iterator[tuple[Trial, TrialGrade]]:
        """The trials with their grades. Raises BadInput."""
        return ((trial, grade(trial, self.yardstick)) for trial in self.trials())

    def bad(self) -> Iterator[tuple[Trial, TrialGrade]]:
        """The effective trials that show a race, with their grades. Raises BadInput."""
        return ((trial, graded) for trial, graded in self.graded() if graded.effective and graded.races)

    def tally(self) -> Tally:
        """All trials of the case, graded again. Raises BadInput."""
        tally = Tally(reload=self.case.restart == "reload", leftovers=self.leftovers)
        if self.end is not None and self.end.how == "failed":
            tally.failed = self.end.reason
        if self.end is not None and self.end.how != "complete" and len(self.controls) < CONTROLS:
            return tally  # it ended before anything was judged
        if not self.controls:
            tally.inconclusive = "the history holds no control"
            return tally
        yardstick = self.yardstick
        tally.begin = yardstick.begin
        tally.broken, tally.inconclusive = yardstick.broken, yardstick.inconclusive
        if not (tally.broken or tally.inconclusive):
            for _, graded in self.graded():
                tally.add(graded)
        return tally
