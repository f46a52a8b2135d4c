"""Scenario files, one TOML file each: what to run, on what, and what is expected of it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from typing import Annotated, Literal

import pydantic
from pydantic import Field, model_validator

from harness.cases.redaction import is_secret_name
from harness.cases.target import check_body, check_method, check_not_own, parse_target
from harness.cases.toml import StrictModel, parse_toml, read_toml
from harness.errors import nearest, quoted, shortened
from harness.records import (
    MAX_BODY,
    BrokenClass,
    Mode,
    Mpm,
    OutcomeName,
    RaceClass,
    Request,
    RestartMethod,
    Schedule,
    StrategyName,
    VerdictName,
)

# The upper bounds of fields in this file are more than one machine can use: they catch a digit too many before a run.

# Of scripts, requests and expectations in a file.
MOST_LISTED = 200
MAX_TRIALS = 100_000
MAX_SEED = 2**63 - 1  # what JSON readers of every language can hold

# A name that becomes part of a path and of a case's id.
Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]

Grade = Literal["expected", "acceptable", "forbidden"]

# A touched script ends its daemon processes; in embedded mode it is imported again in the same one: a reload.
DAEMON_RESTARTS: tuple[RestartMethod, ...] = ("respawn", "restart", "graceful", "touch", "container")
EMBEDDED_RESTARTS: tuple[RestartMethod, ...] = ("respawn", "restart", "graceful", "container", "reload")

# The application group of a process's first interpreter, which some extension modules need.
_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token: RFC 9110, section 5.6.2
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def check_text(what: str, text: str) -> None:
    """Raises ValueError: bytes that are not UTF-8 stand in it, which neither JSON nor a page can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{what} is not UTF-8 text") from None


def check_headers(headers: dict[str, str]) -> dict[str, str]:
    """Names that are tokens and not the harness's own, values that fit on one line. Raises ValueError."""
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER.fullmatch(name):
            raise ValueError(f"header {quoted(name)}: a name has letters, digits and '-' only")
        check_not_own(name)
        if not isinstance(value, str) or not value.isprintable() or not value.isascii():
            shown = "" if is_secret_name(name) else f" {quoted(value)}"
            raise ValueError(f"header {shortened(name)}: its value{shown} has characters other than printable ASCII")
    return headers


def check_variables(variables: dict[str, str]) -> dict[str, str]:
    """Names that a shell takes, values without a NUL. Raises ValueError."""
    for name, value in variables.items():
        if not isinstance(name, str) or not _VARIABLE.fullmatch(name):
            raise ValueError(f"environment variable {quoted(name)}: a name has letters, digits and '_' only")
        if not isinstance(value, str):
            raise ValueError(f"environment variable {shortened(name)}: its value {quoted(value)} is no text")
        if "\0" in value:
            raise ValueError(f"environment variable {shortened(name)}: its value has a NUL in it")
        check_text(f"the value of environment variable {shortened(name)}", value)
    return variables


Headers = Annotated[dict[str, str], pydantic.AfterValidator(check_headers)]
Variables = Annotated[dict[str, str], pydantic.AfterValidator(check_variables)]

GROUP_PATTERN = r"^[^\s\"']+$"
GLOBAL_GROUP = "%{GLOBAL}"


class DaemonHosting(StrictModel):
    """mod_wsgi daemon mode: WSGIDaemonProcess."""

    processes: int = Field(1, ge=1, le=16)
    threads: int = Field(15, ge=1, le=100)


class EmbeddedHosting(StrictModel):
    """mod_wsgi embedded mode: the interpreter lives in httpd's own children."""

    mpm: Mpm = "event"
    children: int = Field(1, ge=1, le=16)
    threads: int = Field(15, ge=1, le=100, description="threads per child")


class Hosting(StrictModel):
    """How the server runs the script, in either mode."""

    daemon: DaemonHosting = DaemonHosting()
    embedded: EmbeddedHosting = EmbeddedHosting()
    application_group: str = Field(GLOBAL_GROUP, pattern=GROUP_PATTERN)


class PathEntry(StrictModel):
    """One request of the mix, sent `weight` times as often as a request of weight 1."""

    path: Annotated[str, pydantic.AfterValidator(parse_target)]
    method: Annotated[str, pydantic.AfterValidator(check_method)] = "GET"
    body: Annotated[str, pydantic.AfterValidator(check_body)] = ""
    headers: Headers = Field({})
    weight: int = Field(1, ge=1, le=100)
    status: int | None = Field(None, ge=200, le=599, description="the right answer, if not 2xx or 3xx")


class Load(StrictModel):
    """The requests of a trial."""

    users: int = Field(15, ge=1, le=200, description="requests released at one moment")
    paths: list[str | PathEntry] = Field(["/"], min_length=1, max_length=MOST_LISTED)
    headers: Headers = Field({}, description="sent with every request")
    follow_up: int = Field(1, ge=0, le=20, description="single requests to the process after the stampede")
    timeout: float = Field(30.0, gt=0, le=600, description="seconds until a request counts as open")
    max_body: int = Field(
        MAX_BODY, ge=1, le=2**30, description="bytes of an answer's body, before and after its coding is undone"
    )

    @pydantic.field_validator("paths")
    @classmethod
    def _as_they_are_sent(cls, paths: list[str | PathEntry]) -> list[str | PathEntry]:
        return [parse_target(path) if isinstance(path, str) else path for path in paths]

    @pydantic.field_validator("timeout", mode="before")
    @classmethod
    def _whole_seconds_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) else value

    @property
    def requests(self) -> tuple[Request, ...]:
        """The mix: each path as often as its weight says, in an even order."""
        entries = [PathEntry(path=item) if isinstance(item, str) else item for item in self.paths]
        rounds = max(entry.weight for entry in entries)
        return tuple(
            Request.of(entry, headers={**self.headers, **entry.headers})
            for turn in range(rounds)
            for entry in entries
            if turn < entry.weight
        )


class Perturb(StrictModel):
    """How threads are disturbed in cases of the schedule `perturbed`; see harness/inside/perturb.py."""

    strategies: list[StrategyName] = Field(
        ["switching", "at-initialisation", "at-lines", "priorities"],
        min_length=1,
        max_length=MOST_LISTED,
        description="one is drawn for each process",
    )
    packages: list[Word] = Field(
        [], max_length=MOST_LISTED, description="whose lines are delayed; by default Django's and the site's own"
    )
    seed: int | None = Field(
        None, ge=0, le=MAX_SEED, description="the seed of one process, used for every process to repeat it"
    )


class CorpusRow(StrictModel):
    """The row of the corpus of known races that a scenario shows, on a release with the race or on one without it."""

    row: Word
    release: Literal["affected", "fixed"]


class DeclaredOutcome(StrictModel):
    """The grade of an outcome, and one sentence why."""

    grade: Grade
    why: str = Field(min_length=8)


class Expectation(StrictModel):
    """What is expected of the cases it selects: all cases, if it names no scripts, modes or schedules."""

    scripts: list[Word] | None = Field(None, max_length=MOST_LISTED)
    modes: list[Mode] | None = Field(None, max_length=2)
    schedules: list[Schedule] | None = Field(None, max_length=2)
    verdict: VerdictName | Annotated[list[VerdictName], Field(min_length=1, max_length=5)]
    race_class: RaceClass | None = None
    broken_class: BrokenClass | None = None
    outcomes: dict[OutcomeName, DeclaredOutcome]

    @property
    def verdicts(self) -> tuple[VerdictName, ...]:
        return tuple(self.verdict) if isinstance(self.verdict, list) else (self.verdict,)

    def selects(self, mode: str, script: str, schedule: str) -> bool:
        return (
            (self.scripts is None or script in self.scripts)
            and (self.modes is None or mode in self.modes)
            and (self.schedules is None or schedule in self.schedules)
        )


class Thresholds(StrictModel):
    """Upper limits beside the expectation; for every script, unless `scripts` are named."""

    scripts: list[Word] | None = Field(None, max_length=MOST_LISTED)
    lazy_in_request: int | None = Field(None, ge=0, le=MAX_TRIALS)
    bad_trials: int | None = Field(None, ge=0, le=MAX_TRIALS)
    first_request_over_warm: str | None = Field(None, pattern=r"^<= ?[0-9]{1,9}(\.[0-9]{1,9})?$")

    @property
    def ratio_limit(self) -> float | None:
        text = self.first_request_over_warm
        return None if text is None else float(text.removeprefix("<="))

    def of(self, script: str) -> Thresholds:
        return self if self.scripts is None or script in self.scripts else Thresholds()


class Scenario(StrictModel):
    """A scenario file; scenarios/README.md describes each key."""

    title: str = Field(min_length=3, max_length=1000)
    site: Word
    scripts: list[Word] = Field(min_length=1, max_length=MOST_LISTED)
    runtime: Word
    modes: list[Mode] = Field(["daemon", "embedded"], min_length=1, max_length=2)
    schedules: list[Schedule] = Field(["natural"], min_length=1, max_length=2)
    restart: RestartMethod = "respawn"
    trials: int = Field(200, ge=1, le=MAX_TRIALS)
    seed: int = Field(20100321, ge=0, le=MAX_SEED)
    environment: Variables = Field({}, description="environment variables of the server")
    perturb: Perturb = Perturb()
    corpus: CorpusRow | None = None
    invariant: str = Field(
        "", max_length=MOST_LISTED, pattern=r"^([\w.]+:\w+)?$", description="a function of the site, module:function"
    )
    hosting: Hosting = Hosting()
    load: Load = Load()
    thresholds: Thresholds = Thresholds()
    expect: list[Expectation] = Field(min_length=1, max_length=MOST_LISTED)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Scenario:
        for key, names in (("scripts", self.scripts), ("modes", self.modes), ("schedules", self.schedules)):
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names one of {', '.join(sorted(set(names)))} twice")
        for mode in self.modes:
            allowed = DAEMON_RESTARTS if mode == "daemon" else EMBEDDED_RESTARTS
            if self.restart not in allowed:
                raise ValueError(
                    f"restart = {self.restart!r} does not exist in {mode} mode "
                    f"(there it is one of: {', '.join(allowed)}); name it for one mode with modes = [...]"
                )
        if self.load.users < len(self.load.requests):
            raise ValueError(
                f"load.users = {self.load.users} is fewer than the {len(self.load.requests)} requests of load.paths "
                f"(weights counted): some would never be sent"
            )
        for index, expectation in enumerate(self.expect, 1):
            for script in expectation.scripts or []:
                if script not in self.scripts:
                    raise ValueError(
                        f"expect number {index} names the script {script!r}, which scripts does not list"
                        f"{nearest(script, self.scripts)}"
                    )
        for mode, script, schedule in itertools.product(self.modes, self.scripts, self.schedules):
            if not any(expectation.selects(mode, script, schedule) for expectation in self.expect):
                raise ValueError(f"no expect block selects script {script!r} in {mode} mode, schedule {schedule}")
        return self


def load_scenario(path: Path) -> Scenario:
    """Read and validate a scenario file. Raises BadInput: every mistake, with its line or key, what is allowed and the
    nearest valid spelling."""
    return read_toml(Scenario, path)


def parse_scenario(text: str, name: str) -> Scenario:
    """Validate the text of a scenario file; errors call it `name`. Raises BadInput: as `load_scenario`."""
    return parse_toml(Scenario, text, name)
