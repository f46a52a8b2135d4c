"""Reads what version 1 of a history (harness 0.1) has in another form: a flat record of a trial, hosting in tables."""

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


class _Seen(Record, frozen=True, kw_only=True):
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


class Control1(_Seen, frozen=True, tag="control"):
    """A control as version 1 wrote it."""

    def converted(self) -> Control:
        return Control(number=self.number, begin=self.begin, answers=self.answers, evidence=self.evidence)


class Trial1(_Seen, frozen=True, tag="trial"):
    """A trial as version 1 wrote it."""

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
    """The case of a version 1 history as today's. Raises msgspec.ValidationError: it is none."""
    flat = dict(data)
    try:
        hosting = flat.pop("hosting")
        of_mode = hosting[flat["mode"]]
        flat["processes"] = of_mode.get("processes", of_mode.get("children"))
        flat["threads"] = of_mode["threads"]
        flat["mpm"] = of_mode.get("mpm", "event")
        flat["application_group"] = hosting["application_group"]
        flat["site_dir"] = str(site_directory(Path(flat["script_path"])))
    except (KeyError, TypeError, AttributeError) as error:
        raise msgspec.ValidationError(f"no case of version 1: {error!r}") from error
    return flat
