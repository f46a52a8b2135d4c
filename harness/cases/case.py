"""A case: what runs, on what, and what is expected of it; one scenario expanded to one script, mode and schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pydantic

from harness.cases.scenario import GLOBAL_GROUP, Expectation, Perturb, Thresholds, _Model
from harness.records import (
    Mode,
    Mpm,
    Request,
    RestartMethod,
    Schedule,
)


class Case(_Model):
    """One scenario expanded to one script, mode and schedule."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    id: str
    scenario: str
    site: str
    script: str
    script_path: Path
    site_dir: Path
    """The directory of the site's files."""
    digest: str = ""
    """Of the site's files, where it is known: see harness.cases.site."""
    runtime: str
    mode: Mode
    mpm: Mpm = "event"
    processes: int = 1
    """Of the daemon process group, or httpd's children."""
    threads: int = 15
    """Of each process."""
    application_group: str = GLOBAL_GROUP
    schedule: Schedule
    restart: RestartMethod
    trials: int
    full: bool = False
    """Make every trial, even when an expected race is settled: for its rate."""
    seed: int
    environment: dict[str, str]
    invariant: str = ""
    perturb: Perturb = Perturb()
    requests: tuple[Request, ...]
    users: int
    follow_up: int
    timeout: float
    expectation: Expectation | None = None
    thresholds: Thresholds = Thresholds()
    apache_conf: str = ""
    black_box: bool = False
    preload: bool = False
    """Let the server import the script when a process starts (WSGIImportScript), not when its first request comes."""

    @pydantic.field_validator("requests", mode="before")
    @classmethod
    def _requests_from_json(cls, value: object) -> object:
        return msgspec.convert(value, tuple[Request, ...]) if isinstance(value, list) else value

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` takes back."""
        return self.model_dump(mode="json", fallback=msgspec.to_builtins)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Case:
        """Raises pydantic.ValidationError, msgspec.ValidationError."""
        return cls.model_validate(data, strict=False)

    def requests_of_stampede(self) -> list[int]:
        """Which request each user sends: the mix dealt round."""
        return [user % len(self.requests) for user in range(self.users)]
