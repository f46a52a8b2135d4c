"""Cases for a script alone, without a scenario file: `harness check` and the pytest fixture."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pydantic

from harness.cases.case import Case
from harness.cases.reading import MAX_SCRIPT, MAX_TEXT, check_file, entries, shown
from harness.cases.scenario import (
    DAEMON_RESTARTS,
    EMBEDDED_RESTARTS,
    GLOBAL_GROUP,
    GROUP_PATTERN,
    check_headers,
    check_variables,
)
from harness.cases.site import site_directory
from harness.cases.target import check_body, check_method, parse_target
from harness.cases.toml import explain
from harness.errors import BadInput, nearest, quoted, shortened
from harness.records import MAX_BODY, Mode, Request, RestartMethod

# Enough that 0 bad trials bound the rate at 3 %, and done in about a minute.
DEFAULT_TRIALS = 100
# The scenario name of such cases.
AD_HOC = "check"
_METHOD_FIRST = re.compile(r"([A-Z]+) (?=/|\*)")


def parse_request(text: str, headers: Mapping[str, str] | None = None) -> Request:
    """`/path`, `METHOD /path` or `METHOD /path BODY` as a request. Raises BadInput: it is none of these, or cannot be
    sent."""
    match = _METHOD_FIRST.match(text)
    method, rest = (match[1], text[match.end() :]) if match else ("GET", text)
    # Only after a method: a space in a path alone is a mistake.
    path, _, body = rest.partition(" ") if match else (rest, "", "")
    try:
        return Request(
            path=parse_target(path), method=check_method(method), body=check_body(body), headers=dict(headers or {})
        )
    except ValueError as error:
        raise BadInput(f"{error} (--path takes '/path' or 'METHOD /path BODY')") from None


def parse_modes(modes: Sequence[Mode], restart: RestartMethod) -> Sequence[Mode]:
    """The modes to check in; by default those that support the restart method. Raises BadInput: one does not."""
    known: dict[Mode, tuple[str, ...]] = {"daemon": DAEMON_RESTARTS, "embedded": EMBEDDED_RESTARTS}
    if not modes:
        return [mode for mode, methods in known.items() if restart in methods]
    for mode in modes:
        if restart not in known[mode]:
            raise BadInput(f"restart {quoted(restart)} does not exist in {mode} mode (there: {', '.join(known[mode])})")
    return modes


def script_case(
    script: str | os.PathLike[str],
    *,
    mode: Mode = "daemon",
    paths: Sequence[str] = ("/",),
    headers: Mapping[str, str] | None = None,
    python: str | os.PathLike[str] | None = None,
    threads: int = 15,
    processes: int = 1,
    users: int = 15,
    trials: int = DEFAULT_TRIALS,
    restart: RestartMethod = "respawn",
    environment: Mapping[str, str] | None = None,
    application_group: str = GLOBAL_GROUP,
    apache_conf: str | os.PathLike[str] | None = None,
    timeout: float = 30.0,
    max_body: int = MAX_BODY,
    seed: int = 0,
    black_box: bool = False,
    **unknown: Any,
) -> Case:
    """A case for one script in one mode; it is expected to be neither a race nor broken. Raises BadInput: there is no
    such file, or an option cannot be used."""
    if unknown:
        name = next(iter(unknown))
        allowed = sorted(script_case.__kwdefaults__ or ())
        raise BadInput(f"unknown option {quoted(name)}{nearest(name, allowed)} (allowed: {', '.join(allowed)})")
    try:
        return _case(
            Path(script),
            dict(headers or {}),
            dict(environment or {}),
            paths,
            Path(apache_conf) if apache_conf is not None else None,
            mode=mode,
            runtime=str(python or sys.executable),
            threads=threads,
            processes=processes,
            users=users,
            trials=trials,
            restart=restart,
            application_group=application_group,
            timeout=timeout,
            max_body=max_body,
            seed=seed,
            black_box=black_box,
        )
    except pydantic.ValidationError as error:
        raise BadInput(explain(error, Case, "option")) from None
    except (TypeError, ValueError) as error:
        raise BadInput(f"an option has a wrong value: {shortened(str(error), 300)}") from None


def _case(
    script: Path,
    headers: dict[str, str],
    environment: dict[str, str],
    paths: Sequence[str],
    apache_conf: Path | None,
    **fields: Any,
) -> Case:
    """Raises BadInput, ValueError, TypeError: a value of a wrong type, from a test's marker."""
    if not os.path.lexists(script):
        beside = [path.name for path in entries(script.parent)]
        raise BadInput(f"{shown(script)}: there is no such script{nearest(script.name, beside)}")
    check_file(script, MAX_SCRIPT, "script")
    if apache_conf is not None:
        check_file(apache_conf, MAX_TEXT, "file to include")
    if isinstance(paths, str):
        raise BadInput(f"paths: expected a list of paths, not the text {quoted(paths)}")
    if fields["users"] < len(paths):
        raise BadInput(f"{fields['users']} users are fewer than the {len(paths)} paths: some would never be sent")
    if not re.fullmatch(GROUP_PATTERN, fields["application_group"]):
        group = quoted(fields["application_group"])
        raise BadInput(f"application group {group}: expected a name without spaces and quotes")
    try:
        check_headers(headers)
        check_variables(environment)
    except ValueError as error:
        raise BadInput(str(error)) from None
    return Case(
        id=f"{AD_HOC}::{fields['mode']}::{script.stem}::natural",
        scenario=AD_HOC,
        site=script.resolve().parent.name,
        script=script.stem,
        script_path=script.resolve(),
        site_dir=site_directory(script.resolve()),
        schedule="natural",
        environment=environment,
        requests=tuple(parse_request(path, headers) for path in paths),
        follow_up=1,
        apache_conf=str(apache_conf.resolve()) if apache_conf else "",
        **fields,
    )


def parse_pairs(texts: Sequence[str], separator: str, option: str, form: str) -> dict[str, str]:
    """The names and values given to a repeatable option. Raises BadInput: one does not have the `form`."""
    pairs = {}
    for text in texts:
        name, separated, value = text.partition(separator)
        if not separated or not name.strip():
            raise BadInput(f"{option} {quoted(text)}: expected '{form}'")
        pairs[name.strip()] = value.strip()
    return pairs
