"""What of a case is not stored, and has to be given again before it can be run again."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from harness.cases.case import Case
from harness.cases.redaction import WITHHELD
from harness.errors import BadInput


def missing(case: Case) -> Iterator[tuple[str, str]]:
    """What a stored case lacks: the option that gives it, and its name."""
    for name, value in case.environment.items():
        if value == WITHHELD:
            yield "--env", name
    headers = (name for request in case.requests for name, value in request.headers.items() if value == WITHHELD)
    for name in dict.fromkeys(headers):
        yield "--header", name


def options(case: Case) -> str:
    """The options that a command needs to run a stored case again, with `…` for each value; "" if it needs none."""
    return " ".join(_option(option, name) for option, name in missing(case))


def _option(option: str, name: str) -> str:
    return f"--env {name}={WITHHELD}" if option == "--env" else f"--header {shlex.quote(f'{name}: {WITHHELD}')}"


def restored(case: Case, environment: Mapping[str, str], headers: Mapping[str, str]) -> Case:
    """A stored case with what was left out of it. Raises BadInput: something is still missing, or is not."""
    lacks = list(missing(case))
    given = [("--env", name) for name in environment] + [("--header", name) for name in headers]
    unknown = [pair for pair in given if _key(pair) not in set(map(_key, lacks))]
    if unknown:
        (option, name), *_ = unknown
        raise BadInput(f"{option} {name}: nothing of that name was left out of {case.id}, which is run as it was")
    absent = [pair for pair in lacks if _key(pair) not in set(map(_key, given))]
    if absent:
        raise BadInput(
            f"{case.id} was run with {', '.join(name for _, name in absent)}, which is not stored because it looks "
            f"like a secret: give it again: {' '.join(_option(*pair) for pair in absent)}"
        )
    lower = {name.lower(): value for name, value in headers.items()}

    def complete(values: Mapping[str, str]) -> dict[str, str]:
        return {name: lower[name.lower()] if value == WITHHELD else value for name, value in values.items()}

    return case.model_copy(
        update={
            "environment": {**case.environment, **environment},
            "requests": tuple(replace(request, headers=complete(request.headers)) for request in case.requests),
        }
    )


def all_restored(cases: Sequence[Case], environment: Mapping[str, str], headers: Mapping[str, str]) -> list[Case]:
    """The stored cases of a run, each with what was left out of it. Raises BadInput: as `restored`."""
    lacks = {_key(pair) for case in cases for pair in missing(case)}
    unknown = [("--env", name) for name in environment] + [("--header", name) for name in headers]
    for option, name in unknown:
        if _key((option, name)) not in lacks:
            raise BadInput(f"{option} {name}: nothing of that name was left out of the run, which goes on as it was")
    return [_restored_from(case, environment, headers) for case in cases]


def _restored_from(case: Case, environment: Mapping[str, str], headers: Mapping[str, str]) -> Case:
    """With those of the values that this case lacks."""
    lacks = {_key(pair) for pair in missing(case)}
    return restored(
        case,
        {name: value for name, value in environment.items() if _key(("--env", name)) in lacks},
        {name: value for name, value in headers.items() if _key(("--header", name)) in lacks},
    )


def _key(pair: tuple[str, str]) -> tuple[str, str]:
    """Headers are the same in upper and lower case, variables are not."""
    option, name = pair
    return option, name.lower() if option == "--header" else name
