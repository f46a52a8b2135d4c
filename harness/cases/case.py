"""A case: what runs, on what, and what is expected of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pydantic
from pydantic import Field

from harness.cases.redaction import WITHHELD, withheld
from harness.cases.scenario import (
    GLOBAL_GROUP,
    GROUP_PATTERN,
    MAX_SEED,
    MAX_TRIALS,
    Expectation,
    Perturb,
    Thresholds,
    Variables,
    check_headers,
    check_text,
)
from harness.cases.toml import StrictModel
from harness.errors import quoted
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
    processes: int = Field(1, ge=1, le=16)
    """Of a daemon process group, or children of the server."""
    threads: int = Field(15, ge=1, le=100)
    """Per process."""
    application_group: str = Field(GLOBAL_GROUP, pattern=GROUP_PATTERN, max_length=200)
    schedule: Schedule
    restart: RestartMethod
    trials: int = Field(ge=1, le=MAX_TRIALS)
    full: bool = False
    """Make every trial, even after an expected race was seen: to measure its rate."""
    seed: int = Field(ge=0, le=MAX_SEED)
    environment: Variables
    invariant: str = ""
    perturb: Perturb = Perturb()
    requests: tuple[Request, ...]
    users: int = Field(ge=1, le=200)
    follow_up: int = Field(ge=0, le=20)
    timeout: float = Field(gt=0, le=600)
    max_body: int = Field(MAX_BODY, ge=1)
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

    @pydantic.field_validator("requests")
    @classmethod
    def _requests_can_be_sent(cls, requests: tuple[Request, ...]) -> tuple[Request, ...]:
        for request in requests:
            check_headers({name: value for name, value in request.headers.items() if value != WITHHELD})
        return requests

    @pydantic.field_validator("script_path", "site_dir")
    @classmethod
    def _paths_can_be_written_down(cls, path: Path) -> Path:
        check_text(f"the path {quoted(str(path))}", str(path))
        return path

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
        """The case in this data. Raises ValueError (of pydantic or msgspec): the data is no case."""
        case = cls.model_validate(data, strict=False)
        if not case.requests:
            raise ValueError("it has no requests")
        return case

    def requests_of_stampede(self) -> list[int]:
        """The index of the request that each user sends: the mix, round robin."""
        return [user % len(self.requests) for user in range(self.users)]
