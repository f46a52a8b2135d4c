"""What the gate says: sentences for a terminal, Markdown for the summary of a CI job."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import BadInput
from harness.gate.compare import HypothesisTest, alarms
from harness.gate.records import CaseCounts
from harness.gate.statistics import FAMILY_ERROR

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
_MOST_SENTENCES = 12


@dataclass(frozen=True)
class Outcome:
    """What a gated run came to."""

    compared_with: str
    tests: tuple[HypothesisTest, ...]
    observed: tuple[CaseCounts, ...] = ()
    notes: tuple[str, ...] = ()
    """What was not compared, and why."""
    inconclusive: tuple[str, ...] = ()
    error: float = FAMILY_ERROR

    @property
    def sentences(self) -> list[str]:
        """What got worse, most certain first."""
        return [each.sentence for each in alarms(self.tests, self.error)]

    @property
    def exit_code(self) -> int:
        return 1 if self.sentences else 3 if self.inconclusive else 0

    @property
    def headline(self) -> str:
        found = len(self.sentences)
        if found:
            return f"gate: worse ({found} of {len(self.tests)} comparisons)"
        if self.inconclusive:
            return "gate: inconclusive"
        return f"gate: not worse ({len(self.tests)} comparisons, family-wise error {self.error:.2g})"


def lines(outcome: Outcome) -> list[str]:
    """For a terminal."""
    told = outcome.sentences
    return [
        f"compared with {outcome.compared_with}",
        *(f"worse: {each}" for each in told[:_MOST_SENTENCES]),
        *([f"... and {len(told) - _MOST_SENTENCES} more"] if len(told) > _MOST_SENTENCES else []),
        *(f"inconclusive: {each}" for each in outcome.inconclusive),
        *(f"note: {each}" for each in outcome.notes),
        outcome.headline,
    ]


def markdown(outcome: Outcome) -> str:
    """For the summary of a CI job, or a comment on a merge request."""
    mark = {0: "✅", 1: "❌", 3: "⚠️"}[outcome.exit_code]
    told = outcome.sentences
    parts = [f"### {mark} {outcome.headline}", f"Compared with {outcome.compared_with}."]
    parts += [f"- **worse**: {_escaped(each)}" for each in told]
    parts += [f"- inconclusive: {_escaped(each)}" for each in outcome.inconclusive]
    parts += [f"- note: {_escaped(each)}" for each in outcome.notes]
    if outcome.observed:
        table = [
            "| case | verdict | effective trials | bad | lazy in requests | first : warm |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
        ]
        for each in outcome.observed:
            ratio = f"{statistics.median(each.first_over_warm):.1f}" if each.first_over_warm else ""
            table.append(
                f"| {_escaped(each.case)} | {each.verdict} | {each.trials} | {each.bad_trials} | "
                f"{each.lazy_in_request} | {ratio} |"
            )
        parts.append("\n".join(table))
    return "\n\n".join(parts) + "\n"


def markdown_list(title: str, worse: Sequence[str], told: Sequence[str]) -> str:
    """A heading, what got worse, and what was looked at."""
    mark = "❌" if worse else "✅"
    parts = [f"### {mark} {title}", *(f"- **worse**: {_escaped(each)}" for each in worse)]
    return "\n".join([*parts, "", *(f"- {_escaped(each)}" for each in told)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def write_summary(text: str, file: Path | None) -> None:
    """To the file, or (appended) to where the CI service asks for it, or nowhere. Raises BadInput."""
    where = str(file) if file is not None else os.environ.get(SUMMARY_VARIABLE, "")
    if not where:
        return
    try:
        with Path(where).open("w" if file is not None else "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise BadInput(f"{where}: the summary cannot be written: {error.strerror}") from error
