"""Validates TOML files; every mistake is reported with its key, what is allowed and the nearest spelling."""

from __future__ import annotations

import itertools
import re
import tomllib
import types
import typing
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pydantic

from harness.cases.reading import read_text, shown
from harness.errors import BadInput, listing, nearest, quoted, shortened

M = typing.TypeVar("M", bound=pydantic.BaseModel)

# A scenario has three tables in one another. tomllib takes the square of a dotted key's length in time, a minute for
# 100 kB, and ends at Python's limit of recursion.
MAX_DEPTH = 20
# A reader corrects these and tries again: a file of nothing but mistakes has thousands.
MOST_MISTAKES = 10
# Strings and comments; one without an end reaches to the end of its line, or of the file.
_STRINGS = re.compile(
    r'"{3}(?:\\.|[^"\\]|"(?!""))*(?:"{3}|\Z)'
    r"|'{3}(?:[^']|'(?!''))*(?:'{3}|\Z)"
    r'|"(?:\\.|[^"\\\n])*"?'
    r"|'[^'\n]*'?"
    r"|\#[^\n]*",
    re.DOTALL,
)
# Possessive, so that it takes no longer than the text is long.
_LONG_KEY = re.compile(rf"(?<![\w-])[\w-]++(?:[ \t]*+\.[ \t]*+[\w-]++){{{MAX_DEPTH}}}")


class StrictModel(pydantic.BaseModel):
    """A frozen table of a file, in which unknown keys and values of another type are mistakes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def read_toml(model: type[M], path: Path) -> M:
    """A TOML file as a validated model. Raises BadInput: it cannot be read; every mistake in it, one a line."""
    return parse_toml(model, read_text(path), shown(path))


def parse_toml(model: type[M], text: str, name: str) -> M:
    """TOML text as a validated model. Raises BadInput: every mistake in it, one a line."""
    _check_depth(text, name)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not valid TOML: {shortened(str(error), 300)}") from None
    except ValueError:
        raise BadInput(f"{name}: not valid TOML: a number of thousands of digits") from None
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        raise BadInput(explain(error, model, name)) from None


def explain(error: pydantic.ValidationError, model: type[pydantic.BaseModel], name: str) -> str:
    """The mistakes of a validation, one a line; `name`: of the file, or of what was validated."""
    mistakes = error.errors(include_url=False)
    lines = list(dict.fromkeys(_explain(name, model, mistake) for mistake in mistakes[:MOST_MISTAKES]))
    more = len(mistakes) - MOST_MISTAKES
    return "\n".join([*lines, *([f"{name}: and {more} more mistakes"] if more > 0 else [])])


def _check_depth(text: str, name: str) -> None:
    """Raises BadInput: before it is parsed: a key of more parts, or arrays and tables more deeply in one another, than
    any file of the harness has."""
    bare = _STRINGS.sub("s", text)
    if long_key := _LONG_KEY.search(bare):
        line = bare.count("\n", 0, long_key.start()) + 1
        raise BadInput(f"{name}: not valid: a key of more than {MAX_DEPTH} parts (near line {line})")
    steps = (1 if bracket in "[{" else -1 for bracket in re.findall(r"[][{}]", bare))
    if max(itertools.accumulate(steps), default=0) > MAX_DEPTH:
        raise BadInput(f"{name}: not valid: arrays or tables nested more than {MAX_DEPTH} deep")


def _explain(name: str, model: type[pydantic.BaseModel], error: Any) -> str:
    kind, location, given = error["type"], error["loc"], error["input"]
    # The union members that pydantic adds to a location ("str", "PathEntry") are no part of the file.
    key = shortened(_key([part for part in location if isinstance(part, int) or _is_key(str(part))]))
    if kind == "extra_forbidden":
        allowed = sorted(_fields_at(model, location[:-1]))
        word = str(location[-1])
        return f"{name}: {key}: unknown key{nearest(word, allowed)}{listing('allowed', allowed)}"
    if kind == "missing":
        return f"{name}: {key}: required, but missing"
    if kind == "literal_error":
        allowed = [value.strip("' ") for value in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
        near = nearest(given, allowed) if isinstance(given, str) else ""
        return f"{name}: {key}: {quoted(given)} is not allowed{near}{listing('allowed', allowed)}"
    if kind == "value_error":
        where = f"{key}: " if key else ""
        return f"{name}: {where}{shortened(str(error['ctx']['error']), 400)}"
    message = shortened(error["msg"][0].lower() + error["msg"][1:], 200)
    return f"{name}: {key or 'file'}: {message}; given: {quoted(given)}"


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
