"""The outcome of the gate: sentences for a terminal, Markdown for the summary of a CI job."""

from __future__ import annotations

import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.gate.compare import HypothesisTest, alarms
from harness.gate.records import CaseCounts
from harness.gate.statistics import FAMILY_ERROR
from harness.runtimes.limits import write_error

SUMMARY_VARIABLE = "GITHUB_STEP_SUMMARY"
# What fits on a terminal beside the rest: the most certain come first, and the Markdown has all of them.
_MOST_SENTENCES = 12


@dataclass(frozen=True)
class Outcome:
    """The result of a gated run."""

    compared_with: str
    tests: tuple[HypothesisTest, ...]
    observed: tuple[CaseCounts, ...] = ()
    notes: tuple[str, ...] = ()
    """What was not compared, and why."""
    inconclusive: tuple[str, ...] = ()
    error: float = FAMILY_ERROR

    @property
    def sentences(self) -> list[str]:
        """A sentence for each thing that got worse, most certain first."""
        return [alarm.sentence for alarm in alarms(self.tests, self.error)]

    @property
    def exit_code(self) -> int:
        return 1 if self.sentences else 3 if self.inconclusive else 0

    @property
    def headline(self) -> str:
        worse = len(self.sentences)
        if worse:
            return f"gate: worse ({worse} of {len(self.tests)} comparisons)"
        if self.inconclusive:
            return "gate: inconclusive"
        return f"gate: not worse ({len(self.tests)} comparisons, family-wise error {self.error:.2g})"


def lines(outcome: Outcome) -> list[str]:
    """The outcome for a terminal."""
    worse = outcome.sentences
    return [
        f"compared with {outcome.compared_with}",
        *(f"worse: {sentence}" for sentence in worse[:_MOST_SENTENCES]),
        *([f"... and {len(worse) - _MOST_SENTENCES} more"] if len(worse) > _MOST_SENTENCES else []),
        *(f"inconclusive: {reason}" for reason in outcome.inconclusive),
        *(f"note: {note}" for note in outcome.notes),
        outcome.headline,
    ]


def markdown(outcome: Outcome) -> str:
    """The outcome for the summary of a CI job, or a comment on a merge request."""
    mark = {0: "✅", 1: "❌", 3: "⚠️"}[outcome.exit_code]
    parts = [f"### {mark} {outcome.headline}", f"Compared with {outcome.compared_with}."]
    parts += [f"- **worse**: {_escaped(sentence)}" for sentence in outcome.sentences]
    parts += [f"- inconclusive: {_escaped(reason)}" for reason in outcome.inconclusive]
    parts += [f"- note: {_escaped(note)}" for note in outcome.notes]
    if outcome.observed:
        table = [
            "| case | verdict | effective trials | bad | lazy in requests | first : warm |",
            "| --- | --- | ---: | ---: | ---: | ---: |",
        ]
        for counts in outcome.observed:
            ratio = f"{statistics.median(counts.first_over_warm):.1f}" if counts.first_over_warm else ""
            table.append(
                f"| {_escaped(counts.case)} | {counts.verdict} | {counts.trials} | {counts.bad_trials} | "
                f"{counts.lazy_in_request} | {ratio} |"
            )
        parts.append("\n".join(table))
    return "\n\n".join(parts) + "\n"


def markdown_list(title: str, worse: Sequence[str], compared: Sequence[str]) -> str:
    """A heading, what got worse, and what was compared."""
    mark = "❌" if worse else "✅"
    parts = [f"### {mark} {title}", *(f"- **worse**: {_escaped(sentence)}" for sentence in worse)]
    return "\n".join([*parts, "", *(f"- {_escaped(line)}" for line in compared)]) + "\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")


def write_summary(text: str, file: Path | None) -> None:
    """Write to `file`; else append where the CI service asks for a summary; else do nothing. Raises BadInput,
    InfrastructureError."""
    where = str(file) if file is not None else os.environ.get(SUMMARY_VARIABLE, "")
    if not where:
        return
    try:
        with Path(where).open("w" if file is not None else "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise write_error(where, "the summary", error) from error
