"""What the pages have in common: templates that escape everything, and a policy that runs no script but the page's own.

What a site sent, said or is called is untrusted.
"""

from __future__ import annotations

import base64
import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
from markupsafe import Markup

from harness.report.console import evidence_lines, hosting_text, judged, outcomes_text, verdict_text
from harness.store.files import write_whole

FILE = "report.html"
_TEMPLATES = Path(__file__).with_name("templates")
_SIGNS = {"good": "\u2713", "bad": "\u2717", "open": "?", "plain": ""}


@dataclass(frozen=True)
class Headline:
    """What a run has come to, before anything else is said."""

    level: Literal["good", "bad", "open", "plain"]
    title: str
    sentence: str

    @property
    def sign(self) -> str:
        """The level, not by colour alone."""
        return _SIGNS[self.level]


def render_page(template: str, headline: Headline, *, scripts: list[str], styles: list[str], **told: Any) -> str:
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
            **told,
        )
    )


def write_page(path: Path, text: str) -> Path:
    """Write a page, whole or not at all. Raises BadInput."""
    return write_whole(path, encode_page(text), "the report")


def encode_page(text: str) -> bytes:
    """A page as the contents of a file, whatever half characters a site sent."""
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
    environment.filters |= {
        "verdict_text": verdict_text,
        "hosting_text": hosting_text,
        "outcomes_text": outcomes_text,
        "judged": judged,
        "evidence_lines": evidence_lines,
        "duration": _duration,
    }
    return environment


def _asset(name: str) -> str:
    return _TEMPLATES.joinpath(name).read_text(encoding="utf-8")


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
