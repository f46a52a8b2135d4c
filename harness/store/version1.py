"""Reads version 1 of a history (harness 0.1), whose trials are flat records and whose case has tables for hosting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness.cases.site import site_directory
from harness.hosting.server import RELOADED
from harness.records import Answer, Control, Evidence, ThreadOrder, Trial


class _FlatRecord(Evidence, frozen=True, kw_only=True):
    """What controls and trials share: the evidence is in fields of their own."""

    number: int
    begin: float = 0.0
    answers: tuple[Answer, ...]

    @property
    def evidence(self) -> Evidence:
        reloaded = any(RELOADED in line.text for line in self.log)
        return Evidence.of(self, reloaded=reloaded)


class Control1(_FlatRecord, frozen=True, tag="control"):
    """A control of version 1."""

    def converted(self) -> Control:
        return Control.of(self)


class Trial1(_FlatRecord, frozen=True, kw_only=True, tag="trial"):
    """A trial of version 1."""

    slot: str
    end: float
    follow_up: tuple[Answer, ...] = ()
    order: ThreadOrder | None = None

    def converted(self) -> Trial:
        return Trial.of(self)


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
