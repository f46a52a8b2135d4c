"""Validates TOML files; every mistake is reported with its key, what is allowed and the nearest spelling."""

from __future__ import annotations

import tomllib
import types
import typing
from collections.abc import Iterable, Sequence
from typing import Any

import pydantic

from harness.errors import BadInput, listing, nearest

M = typing.TypeVar("M", bound=pydantic.BaseModel)


class StrictModel(pydantic.BaseModel):
    """A frozen table of a file, in which unknown keys and values of another type are mistakes."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


def parse_toml(model: type[M], text: str, name: str) -> M:
    """TOML text as a validated model. Raises BadInput: every mistake in it, one a line."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadInput(f"{name}: not valid TOML: {error}") from error
    try:
        return model.model_validate(data)
    except pydantic.ValidationError as error:
        mistakes = (_explain(name, model, mistake) for mistake in error.errors())
        raise BadInput("\n".join(dict.fromkeys(mistakes))) from None


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
        allowed = [value.strip("' ") for value in error["ctx"]["expected"].replace(" or ", ", ").split(",")]
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
