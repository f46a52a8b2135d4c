"""What the pages have in common: templates that escape everything, and a policy that runs no script but the page's own.

All text of a site is untrusted: its names, its answers, its errors.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from harness.report import sentences
from harness.report.headline import Headline
from harness.store.runs import write_whole

FILE = "report.html"
_TEMPLATES = Path(__file__).with_name("templates")


def render_page(template: str, headline: Headline, *, scripts: list[str], styles: list[str], **values: Any) -> str:
    """A page from a template, with the files of its scripts and styles in it."""
    script = "\n".join(map(_asset, scripts))
    return (
        _environment()
        .get_template(template)
        .render(
            headline=headline,
            style=Markup("\n".join(map(_asset, styles))),
            script=Markup(script),
            script_digest=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            **values,
        )
    )


def write_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all. Raises BadInput."""
    return write_whole(path, encode_page(text), "the report")


def encode_page(text: str) -> bytes:
    """A page as the contents of a file; a lone surrogate that a site sent is written as its escape."""
    return text.encode("utf-8", "backslashreplace")


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        autoescape=True,
    )
    for name in ("conclusion", "evidence_tail", "expected_text", "hosting_text", "outcomes_text", "seen_text", "story"):
        environment.filters[name] = getattr(sentences, name)
    environment.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:]}."
    environment.filters["duration"] = lambda seconds: f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
    return environment


def _asset(name: str) -> str:
    return _TEMPLATES.joinpath(name).read_text(encoding="utf-8")
