"""Reads version 1 of a history (harness 0.1), whose trials are flat records and whose case has tables for hosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.cases.site import site_directory
from harness.hosting.server import RELOADED
from harness.records import (
    Answer,
    Control,
    Evidence,
    Inside,
    LogLine,
    Record,
    State,
    ThreadOrder,
    ThreadStack,
    Trial,
    WatchedProcess,
)


class _FlatRecord(Record, frozen=True, kw_only=True):
    """What controls and trials share."""

    number: int
    begin: float = 0.0
    answers: tuple[Answer, ...]
    processes: tuple[WatchedProcess, ...] = ()
    inside: tuple[Inside, ...] = ()
    states: tuple[State, ...] = ()
    stacks: tuple[ThreadStack, ...] = ()
    log: tuple[LogLine, ...] = ()

    @property
    def evidence(self) -> Evidence:
        return Evidence(
            processes=self.processes,
            inside=self.inside,
            states=self.states,
            stacks=self.stacks,
            log=self.log,
            reloaded=any(RELOADED in line.text for line in self.log),
        )


class Control1(_FlatRecord, frozen=True, tag="control"):
    """A control of version 1."""

    def converted(self) -> Control:
        return Control(number=self.number, begin=self.begin, answers=self.answers, evidence=self.evidence)


class Trial1(_FlatRecord, frozen=True, tag="trial"):
    """A trial of version 1."""

    slot: str
    end: float
    follow_up: tuple[Answer, ...] = ()
    order: ThreadOrder | None = None

    def converted(self) -> Trial:
        return Trial(
            number=self.number,
            slot=self.slot,
            begin=self.begin,
            end=self.end,
            answers=self.answers,
            follow_up=self.follow_up,
            evidence=self.evidence,
            order=self.order,
        )


def converted_case(data: dict[str, Any]) -> dict[str, Any]:
    """The case of a version 1 history in today's form. Raises msgspec.ValidationError: it is not a case."""
    flat = dict(data)
    try:
        hosting = flat.pop("hosting")
        sizes = hosting[flat["mode"]]
        flat["processes"] = sizes.get("processes", sizes.get("children"))
        flat["threads"] = sizes["threads"]
        flat["mpm"] = sizes.get("mpm", "event")
        flat["application_group"] = hosting["application_group"]
        flat["site_dir"] = str(site_directory(Path(flat["script_path"])))
    except (KeyError, TypeError, AttributeError) as error:
        raise msgspec.ValidationError(f"not a case of version 1: {error!r}") from error
    return flat
