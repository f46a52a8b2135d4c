"""A case as its history has it: the only reader of histories, and the place where a stored case is graded again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import msgspec

from harness.checkers.findings import TrialGrade
from harness.checkers.grade import grade
from harness.checkers.rules import lost_by
from harness.checkers.shortage import void_reason
from harness.checkers.yardstick import CONTROLS, Yardstick
from harness.errors import HarnessError
from harness.records import Control, Leftovers, Trial
from harness.store.history import Surroundings, read, read_case, read_end, read_rules, read_surroundings
from harness.verdict import Tally


@dataclass
class StoredPart:
    """One part of a case: all of it, unless its run was interrupted and resumed."""

    number: int
    controls: list[Control] = field(default_factory=list)
    trials: int = 0
    end: float = 0.0
    """When its last trial was over."""

    @property
    def begin(self) -> float:
        return self.controls[0].begin if self.controls else 0.0

    @property
    def seconds(self) -> float:
        """From its first control to the end of its last trial."""
        return max(0.0, self.end - self.begin) if self.controls and self.trials else 0.0


class StoredCase:
    """A stored case, its controls and its yardstick. Trials are read one line at a time, never all at once.

    A run that was resumed has several parts, each with controls of its own, by which its trials are judged.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadInput: the file is not a history."""
        self.path = path
        self.case = read_case(path)
        self.rules, self.fail_on_hazard = read_rules(path)
        self.end = read_end(path)
        self.leftovers: Leftovers | None = None
        """What its processes left running; known once the parts are."""
        self.numbers: set[int] = set()
        """Of the trials that prove something; known once the parts are."""
        self._yardsticks: dict[int, Yardstick] = {}

    @property
    def lost(self) -> list[str]:
        """What its record lacks, in sentences."""
        return lost_by(self.rules)

    @property
    def ran_on(self) -> Surroundings:
        """What it ran on. Raises BadInput."""
        return read_surroundings(self.path)

    @cached_property
    def parts(self) -> list[StoredPart]:
        """Every part that has a record, in their order. Raises BadInput."""
        parts: dict[int, StoredPart] = {}
        for record in read(self.path):
            if isinstance(record, Leftovers):
                self.leftovers = record
                continue
            part = parts.setdefault(record.part, StoredPart(record.part))
            if isinstance(record, Control):
                part.controls.append(record)
            else:
                part.trials += 1
                part.end = max(part.end, record.end)
                if not void_reason(record):
                    self.numbers.add(record.number)
        return list(parts.values())

    @cached_property
    def judged_parts(self) -> list[StoredPart]:
        """The parts with trials, and the last one if its controls were all run. Raises BadInput."""
        last = self.parts[-1:]
        return [part for part in self.parts if part.trials or (part in last and len(part.controls) >= CONTROLS)]

    @property
    def next_part(self) -> int:
        """The number of the part that would go on with it. Raises BadInput."""
        return self.parts[-1].number + 1 if self.parts else 2

    def shift(self, part: int, begin: float) -> float:
        """What is added to a time of a part that began at `begin`, to count it from the begin of the first part, as if
        the parts had followed each other without a pause. Raises BadInput."""
        before = [earlier for earlier in self.parts if earlier.trials and earlier.number < part]
        return before[0].begin + sum(earlier.seconds for earlier in before) - begin if before else 0.0

    @property
    def seconds(self) -> float:
        """How long its parts took, with what ran beside them. Raises BadInput."""
        return sum(part.seconds for part in self.parts)

    @property
    def controls(self) -> tuple[Control, ...]:
        """Of the last part: those before the trials, and late ones. Raises BadInput."""
        parts = self.judged_parts or self.parts
        return tuple(parts[-1].controls) if parts else ()

    @property
    def yardstick(self) -> Yardstick:
        """Of the last part. Raises BadInput."""
        parts = self.judged_parts or self.parts
        return self.yardstick_of(parts[-1].number if parts else 1)

    def yardstick_of(self, number: int) -> Yardstick:
        """Of a part, from all its controls, of which those at its begin are judged; controls that a run would refuse
        make the case inconclusive: it cannot be run again. Raises BadInput."""
        if number not in self._yardsticks:
            controls = next((part.controls for part in self.parts if part.number == number), [])
            try:
                yardstick = Yardstick.of(self.case.requests, controls[:CONTROLS])
            except HarnessError as error:
                yardstick = Yardstick.unjudged(self.case.requests, controls[:CONTROLS], None, str(error))
            for late in controls[CONTROLS:]:
                yardstick = yardstick.extended(late)
            self._yardsticks[number] = yardstick
        return self._yardsticks[number]

    def trials(self) -> Iterator[Trial]:
        """Raises BadInput."""
        return (record for record in read(self.path) if isinstance(record, Trial))

    def graded(self) -> Iterator[tuple[Trial, TrialGrade]]:
        """The trials with their grades, each by the yardstick of its part. Raises BadInput."""
        shifts = {part.number: self.shift(part.number, part.begin) for part in self.parts}
        for trial in self.trials():
            graded = grade(trial, self.yardstick_of(trial.part))
            yield trial, msgspec.structs.replace(graded, end=graded.end + shifts[trial.part])

    def bad(self) -> Iterator[tuple[Trial, TrialGrade]]:
        """The effective trials that show a race, with their grades. Raises BadInput."""
        return ((trial, graded) for trial, graded in self.graded() if graded.effective and graded.races)

    def tally(self) -> Tally:
        """All trials of the case, graded again. Raises BadInput."""
        return self._tally(resuming=False)

    def so_far(self) -> Tally:
        """The tally that a further part begins with: without the trials that prove nothing, which it makes again, and
        without the reason why the case failed. Raises BadInput."""
        return self._tally(resuming=True)

    def _tally(self, *, resuming: bool) -> Tally:
        parts = self.judged_parts
        tally = Tally(reload=self.case.restart == "reload", leftovers=self.leftovers)
        if self.end is not None and self.end.how == "failed" and not resuming:
            tally.failed = self.end.reason
        if not parts:  # it ended before anything was judged
            if self.end is not None and self.end.how == "complete":
                tally.inconclusive = "the history holds no control"
            return tally
        tally.begin = parts[0].begin
        first = self.yardstick_of(parts[0].number)
        tally.begin_part(first.broken, first.inconclusive if parts[0].controls else "the history holds no control")
        if not (tally.broken or tally.inconclusive):
            last = self.parts[-1].number
            for trial, graded in self.graded():
                # One that proves nothing was made again, or is to be, in the part behind it.
                if not (graded.void and (resuming or trial.part < last)):
                    tally.add(graded)
        for part in parts[1:]:
            yardstick = self.yardstick_of(part.number)
            tally.begin_part(yardstick.broken, yardstick.inconclusive)
        return tally
