"""Cases for a script of the user's own, without a scenario file: `harness check` and the pytest fixture."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cases.case import Case
from harness.cases.scenario import DAEMON_RESTARTS, EMBEDDED_RESTARTS, GLOBAL_GROUP
from harness.cases.site import site_directory
from harness.errors import BadInput, nearest
from harness.records import Mode, Request, RestartMethod

DEFAULT_TRIALS = 100
AD_HOC = "check"
"""What stands in place of a scenario's name."""
_REQUEST = re.compile(r"^(?:([A-Z]+) )?(/\S*)(?: (.*))?$", re.DOTALL)


def parse_request(text: str, headers: Mapping[str, str] | None = None) -> Request:
    """`/path`, `METHOD /path` or `METHOD /path BODY` as a request. Raises BadInput."""
    match = _REQUEST.match(text)
    if match is None:
        target = "; the target is always the harness' own httpd on 127.0.0.1" if "://" in text else ""
        raise BadInput(f"path {text!r}: expected '/path' or 'METHOD /path BODY'{target}")
    return Request(path=match[2], method=match[1] or "GET", body=match[3] or "", headers=dict(headers or {}))


def parse_modes(modes: Sequence[Mode], restart: RestartMethod) -> Sequence[Mode]:
    """The modes to check in: both when none is given, or those that know the restart method. Raises BadInput."""
    known: dict[Mode, tuple[str, ...]] = {"daemon": DAEMON_RESTARTS, "embedded": EMBEDDED_RESTARTS}
    if not modes:
        return [mode for mode, methods in known.items() if restart in methods]
    for mode in modes:
        if restart not in known[mode]:
            raise BadInput(f"restart {restart!r} does not exist in {mode} mode (there: {', '.join(known[mode])})")
    return modes


def script_case(
    script: Path,
    *,
    mode: Mode = "daemon",
    paths: Sequence[str] = ("/",),
    headers: Mapping[str, str] | None = None,
    python: Path | None = None,
    threads: int = 15,
    processes: int = 1,
    users: int = 15,
    trials: int = DEFAULT_TRIALS,
    restart: RestartMethod = "respawn",
    environment: Mapping[str, str] | None = None,
    application_group: str = GLOBAL_GROUP,
    apache_conf: Path | None = None,
    timeout: float = 30.0,
    seed: int = 0,
    black_box: bool = False,
    **unknown: Any,
) -> Case:
    """A case for one script in one mode; nothing is expected of it but neither race nor broken.

    Raises:
        BadInput: no such file, a path or option that does not fit.
    """
    if unknown:
        name = next(iter(unknown))
        allowed = sorted(script_case.__kwdefaults__ or ())
        raise BadInput(f"unknown option {name!r}{nearest(name, allowed)} (allowed: {', '.join(allowed)})")
    if not script.is_file():
        beside = [each.name for each in script.parent.iterdir()] if script.parent.is_dir() else []
        raise BadInput(f"{script}: there is no such script{nearest(script.name, beside)}")
    if apache_conf is not None and not apache_conf.is_file():
        raise BadInput(f"{apache_conf}: there is no such file to include")
    if users < len(paths):
        raise BadInput(f"{users} users are fewer than the {len(paths)} paths: some would never be sent")
    return Case(
        id=f"{AD_HOC}::{mode}::{script.stem}::natural",
        scenario=AD_HOC,
        site=script.resolve().parent.name,
        script=script.stem,
        script_path=script.resolve(),
        site_dir=site_directory(script.resolve()),
        runtime=str(python or sys.executable),
        mode=mode,
        schedule="natural",
        restart=restart,
        trials=trials,
        seed=seed,
        environment=dict(environment or {}),
        processes=processes,
        threads=threads,
        application_group=application_group,
        requests=tuple(parse_request(each, headers) for each in paths),
        users=users,
        follow_up=1,
        timeout=timeout,
        apache_conf=str(apache_conf.resolve()) if apache_conf else "",
        black_box=black_box,
    )


def pairs(given: Sequence[str], separator: str, option: str, form: str) -> dict[str, str]:
    """What is given to a repeatable option, each a name and a value. Raises BadInput: `form` says how it should be."""
    found = {}
    for each in given:
        name, separated, value = each.partition(separator)
        if not separated or not name.strip():
            raise BadInput(f"{option} {each!r}: expected '{form}'")
        found[name.strip()] = value.strip()
    return found
