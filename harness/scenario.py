"""Scenario files: what to run, on what, and what is expected of it. One TOML file a scenario."""

from __future__ import annotations

import difflib
import hashlib
import itertools
import tomllib
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pydantic
from pydantic import Field, model_validator

from harness.errors import BadInput
from harness.records import (
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

Word = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=80)]
Grade = Literal["expected", "acceptable", "forbidden"]
DAEMON_RESTARTS = ("respawn", "restart", "graceful", "touch", "container")
EMBEDDED_RESTARTS = ("respawn", "restart", "graceful", "container", "reload")


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


class DaemonHosting(_Model):
    """mod_wsgi daemon mode: WSGIDaemonProcess."""

    processes: int = Field(1, ge=1, le=16)
    threads: int = Field(15, ge=1, le=100)


class EmbeddedHosting(_Model):
    """mod_wsgi embedded mode: the interpreter lives in httpd's own children."""

    mpm: Mpm = "event"
    children: int = Field(1, ge=1, le=16)
    threads: int = Field(15, ge=1, le=100, description="threads per child")


class Hosting(_Model):
    daemon: DaemonHosting = DaemonHosting()
    embedded: EmbeddedHosting = EmbeddedHosting()
    application_group: str = Field("%{GLOBAL}", pattern=r"^[^\s\"']+$")


class PathEntry(_Model):
    """One request of the mix; `weight` of them are sent for each 1 of another."""

    path: str = Field(pattern=r"^/\S*$")
    method: str = Field("GET", pattern=r"^[A-Z]+$")
    body: str = ""
    headers: dict[str, str] = {}
    weight: int = Field(1, ge=1, le=100)
    status: int | None = Field(None, ge=200, le=599, description="the right answer, if not 2xx or 3xx")


class Load(_Model):
    users: int = Field(15, ge=1, le=200, description="requests released at one moment")
    paths: list[str | PathEntry] = Field(["/"], min_length=1)
    headers: dict[str, str] = Field({}, description="sent with every request")
    follow_up: int = Field(1, ge=0, le=20, description="single requests to the process after the stampede")
    timeout: float = Field(30.0, gt=0, le=600, description="seconds until a request counts as open")

    @pydantic.field_validator("timeout", mode="before")
    @classmethod
    def _whole_seconds_too(cls, value: object) -> object:
        return float(value) if isinstance(value, int) else value

    @property
    def requests(self) -> tuple[Request, ...]:
        """The mix, each path as often as its weight says, spread evenly over the users by the caller."""
        entries = [PathEntry(path=item) if isinstance(item, str) else item for item in self.paths]
        rounds = max(entry.weight for entry in entries)
        return tuple(
            Request(
                path=entry.path,
                method=entry.method,
                body=entry.body,
                headers={**self.headers, **entry.headers},
                status=entry.status,
            )
            for turn in range(rounds)
            for entry in entries
            if turn < entry.weight
        )


class Perturb(_Model):
    """How threads are disturbed in cases of the schedule `perturbed`; see harness/inside/perturb.py."""

    strategies: list[StrategyName] = Field(
        ["switching", "at-initialisation", "at-lines", "priorities"], min_length=1, description="drawn for each process"
    )
    packages: list[Word] = Field([], description="whose lines; Django's and the site's own if none is named")
    seed: int | None = Field(None, ge=0, description="of one process, to be repeated: every process gets it")


class CorpusRow(_Model):
    """Which row of the corpus of known races a scenario is: on a release that has the race, or on one without it."""

    row: Word
    release: Literal["affected", "fixed"]


class Declared(_Model):
    """How an outcome is graded, and one sentence why."""

    grade: Grade
    why: str = Field(min_length=8)


class Expectation(_Model):
    """What is expected of the cases it selects (all of them where it names no scripts or modes)."""

    scripts: list[str] | None = None
    modes: list[Mode] | None = None
    schedules: list[Schedule] | None = None
    verdict: VerdictName | list[VerdictName]
    race_class: RaceClass | None = None
    broken_class: BrokenClass | None = None
    outcomes: dict[OutcomeName, Declared]

    @property
    def verdicts(self) -> tuple[VerdictName, ...]:
        return tuple(self.verdict) if isinstance(self.verdict, list) else (self.verdict,)

    def selects(self, mode: str, script: str, schedule: str) -> bool:
        return (
            (self.scripts is None or script in self.scripts)
            and (self.modes is None or mode in self.modes)
            and (self.schedules is None or schedule in self.schedules)
        )


class Thresholds(_Model):
    """What is allowed at most, whatever else is expected. Without `scripts`: of every script."""

    scripts: list[str] | None = None
    lazy_in_request: int | None = Field(None, ge=0)
    bad_trials: int | None = Field(None, ge=0)
    first_request_over_warm: str | None = Field(None, pattern=r"^<= ?\d+(\.\d+)?$")

    @property
    def ratio_limit(self) -> float | None:
        text = self.first_request_over_warm
        return None if text is None else float(text.removeprefix("<="))

    def of(self, script: str) -> Thresholds:
        return self if self.scripts is None or script in self.scripts else Thresholds()


class Scenario(_Model):
    """A scenario file. See scenarios/README.md for each key."""

    title: str = Field(min_length=3)
    site: Word
    scripts: list[Word] = Field(min_length=1)
    runtime: Word
    modes: list[Mode] = Field(["daemon", "embedded"], min_length=1)
    schedules: list[Schedule] = Field(["natural"], min_length=1)
    restart: RestartMethod = "respawn"
    trials: int = Field(200, ge=1, le=100_000)
    seed: int = Field(20100321, ge=0)
    environment: dict[str, str] = Field({}, description="environment variables of the server")
    perturb: Perturb = Perturb()
    corpus: CorpusRow | None = None
    invariant: str = Field("", pattern=r"^([\w.]+:\w+)?$", description="a function of the site, module:function")
    hosting: Hosting = Hosting()
    load: Load = Load()
    thresholds: Thresholds = Thresholds()
    expect: list[Expectation] = Field(min_length=1)

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Scenario:
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


class Case(_Model):
    """One scenario expanded to one script, mode and schedule."""

    model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)

    id: str
    scenario: str
    site: str
    script: str
    script_path: Path
    digest: str = ""
    """Of the site's files, where it is known: see `site_digest`."""
    runtime: str
    mode: Mode
    schedule: Schedule
    restart: RestartMethod
    trials: int
    full: bool = False
    """Make every trial, even when an expected race is settled: for its rate."""
    seed: int
    environment: dict[str, str]
    invariant: str = ""
    perturb: Perturb = Perturb()
    hosting: Hosting
    requests: tuple[Request, ...]
    users: int
    follow_up: int
    timeout: float
    expectation: Expectation | None = None
    thresholds: Thresholds = Thresholds()
    apache_conf: str = ""
    black_box: bool = False

    @pydantic.field_validator("requests", mode="before")
    @classmethod
    def _requests_from_json(cls, value: object) -> object:
        return msgspec.convert(value, tuple[Request, ...]) if isinstance(value, list) else value

    def to_json(self) -> dict[str, Any]:
        """Plain data that `from_json` takes back."""
        return self.model_dump(mode="json", fallback=msgspec.to_builtins)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Case:
        return cls.model_validate(data, strict=False)

    def requests_of_stampede(self) -> list[int]:
        """Which request each user sends: the mix dealt round."""
        return [user % len(self.requests) for user in range(self.users)]


def site_digest(script: Path) -> str:
    """A digest of the files of a script's site: the same while none of them changes."""
    site = script.parent.parent if script.parent.name == "scripts" else script.parent
    digest = hashlib.sha256()
    for path in sorted(site.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(f"{path.relative_to(site)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def load_scenario(path: Path) -> Scenario:
    """Read and validate a scenario file.

    Raises:
        BadInput: naming the file, the line or key, what is allowed and the nearest valid spelling.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from error
    return parse_scenario(text, str(path))


def parse_scenario(text: str, name: str) -> Scenario:
    """Validate the text of a scenario file; `name` is used in errors. Raises BadInput."""
    return parse_toml(Scenario, text, name)


M = typing.TypeVar("M", bound=pydantic.BaseModel)


def parse_toml(model: type[M], text: str, name: str) -> M:
    """TOML text as a validated model. Raises BadInput with every mistake in it, one a line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not valid TOML: {error}") from error
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise BadInput("\n".join(dict.fromkeys(_explain(name, model, each) for each in error.errors()))) from None


def expand(
    scenario: Scenario,
    path: Path,
    sites: Path,
    *,
    trials: int | None = None,
    seed: int | None = None,
    runtime: str | None = None,
    full: bool = False,
) -> list[Case]:
    """The cases of a scenario: each script in each mode with each schedule.

    Raises:
        BadInput: a site or script that does not exist.
    """
    site = sites / scenario.site
    if not site.is_dir():
        known = sorted(each.name for each in sites.iterdir() if each.is_dir()) if sites.is_dir() else []
        raise BadInput(
            f"{path}: site: there is no directory {site}{nearest(scenario.site, known)}{listing('sites', known)}"
        )
    cases = []
    for mode, script, schedule in itertools.product(scenario.modes, scenario.scripts, scenario.schedules):
        script_path = site / "scripts" / f"{script}.wsgi"
        if not script_path.is_file():
            known = sorted(each.stem for each in (site / "scripts").glob("*.wsgi"))
            raise BadInput(
                f"{path}: scripts: there is no file {script_path}{nearest(script, known)}{listing('scripts', known)}"
            )
        cases.append(
            Case(
                id=f"{path.stem}::{mode}::{script}::{schedule}",
                scenario=path.stem,
                site=scenario.site,
                script=script,
                script_path=script_path.resolve(),
                digest=site_digest(script_path.resolve()),
                runtime=runtime or scenario.runtime,
                mode=mode,
                schedule=schedule,
                restart=scenario.restart,
                trials=trials or scenario.trials,
                full=full,
                seed=scenario.seed if seed is None else seed,
                environment=scenario.environment,
                invariant=scenario.invariant,
                perturb=scenario.perturb,
                hosting=scenario.hosting,
                requests=scenario.load.requests,
                users=scenario.load.users,
                follow_up=scenario.load.follow_up,
                timeout=scenario.load.timeout,
                expectation=next(each for each in scenario.expect if each.selects(mode, script, schedule)),
                thresholds=scenario.thresholds.of(script),
            )
        )
    return cases


# -- mistakes, explained ---------------------------------------------------------------------------------


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, or nothing."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def listing(what: str, known: Sequence[str]) -> str:
    return f" ({what}: {', '.join(known)})" if known else ""


def _explain(name: str, model: type[pydantic.BaseModel], error: Any) -> str:
    kind, location, given = error["type"], error["loc"], error["input"]
    # The union members that pydantic adds to a location ("str", "PathEntry") are no part of the file.
    key = _key([part for part in location if isinstance(part, int) or _is_key(str(part))])
    if kind == "extra_forbidden":
        allowed = sorted(_fields_at(model, location[:-1]))
        word = str(location[-1])
        return f"{name}: {key}: unknown key{nearest(word, allowed)}{listing('allowed', allowed)}"
    if kind == "missing":
        return f"{name}: {key}: required, but missing"
    if kind == "literal_error":
        allowed = [each.strip("' ") for each in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"{name}: {key}: {given!r} is not allowed{nearest(str(given), allowed)}{listing('allowed', allowed)}"
    if kind == "value_error":
        return f"{name}: {error['ctx']['error']!s}"
    message = error["msg"][0].lower() + error["msg"][1:]
    return f"{name}: {key or 'file'}: {message}; given: {given!r}"


def _is_key(part: str) -> bool:
    return part not in {"str", "int", "float", "PathEntry", "[key]"} and "[" not in part


def _key(location: Sequence[Any]) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _fields_at(model: type[pydantic.BaseModel], location: Sequence[Any]) -> Iterable[str]:
    """The keys that are allowed in the table at `location`."""
    current: Any = model
    for part in location:
        fields = getattr(current, "model_fields", {})
        if part in fields:
            models = list(_models_in(fields[part].annotation))
            current = models[0] if models else None
    return getattr(current, "model_fields", {}).keys()


def _models_in(annotation: Any) -> Iterable[type[pydantic.BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        if issubclass(annotation, pydantic.BaseModel):
            yield annotation
        return
    for argument in typing.get_args(annotation):
        yield from _models_in(argument)
