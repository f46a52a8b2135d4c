"""A case: what runs, on what, and what is expected of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pydantic

from harness.cases.redaction import withheld
from harness.cases.scenario import GLOBAL_GROUP, Expectation, Perturb, Thresholds
from harness.cases.toml import StrictModel
from harness.records import MAX_BODY, Mode, Mpm, Request, RestartMethod, Schedule


class Case(StrictModel):
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
    """Of the site's files; "" where it is not known. See harness.cases.site."""
    runtime: str
    mode: Mode
    mpm: Mpm = "event"
    processes: int = 1
    """Of a daemon process group, or children of the server."""
    threads: int = 15
    """Per process."""
    application_group: str = GLOBAL_GROUP
    schedule: Schedule
    restart: RestartMethod
    trials: int
    full: bool = False
    """Make every trial, even after an expected race was seen: to measure its rate."""
    seed: int
    environment: dict[str, str]
    invariant: str = ""
    perturb: Perturb = Perturb()
    requests: tuple[Request, ...]
    users: int
    follow_up: int
    timeout: float
    max_body: int = MAX_BODY
    """Bytes of a body, at most: a longer answer is cut, and proves nothing."""
    expectation: Expectation | None = None
    thresholds: Thresholds = Thresholds()
    apache_conf: str = ""
    black_box: bool = False
    preload: bool = False
    """Let the server import the script when a process starts, not at its first request."""

    @pydantic.field_validator("requests", mode="before")
    @classmethod
    def _requests_from_json(cls, value: object) -> object:
        return msgspec.convert(value, tuple[Request, ...]) if isinstance(value, list) else value

    def to_json(self) -> dict[str, Any]:
        """Plain data to be stored, which `from_json` reads; without what looks like a secret (see withheld.py)."""
        storable = self.model_copy(
            update={
                "environment": withheld(self.environment),
                "requests": tuple(
                    msgspec.structs.replace(request, headers=withheld(request.headers)) for request in self.requests
                ),
            }
        )
        return storable.model_dump(mode="json", fallback=msgspec.to_builtins)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Case:
        """The case in this data. Raises pydantic.ValidationError, msgspec.ValidationError: the data is no case."""
        return cls.model_validate(data, strict=False)

    def requests_of_stampede(self) -> list[int]:
        """The index of the request that each user sends: the mix, round robin."""
        return [user % len(self.requests) for user in range(self.users)]
