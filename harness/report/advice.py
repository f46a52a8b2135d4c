"""Advice on a terminal, and a script with it as a diff."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.syntax import Syntax

from harness.advice import Advice, advise_all, recipes
from harness.advice.script_edit import edited, preview, takes_from_requests
from harness.cases.reading import MAX_SCRIPT, read_bytes
from harness.cases.site import project_directory
from harness.report.console import print_plain
from harness.result import CaseResult


def print_advice(
    console: Console, cases: Sequence[CaseResult], script: Path, paths: Sequence[str], *, fix_preview: bool = False
) -> None:
    """The advice for the cases of one script; with `fix_preview` the script with it, as a diff. Nothing is written."""
    advice = advise_all(cases, paths)
    source = read_bytes(script, MAX_SCRIPT, "script").decode(errors="replace")
    for line in advice_lines(advice, cases, source, script, paths):
        print_plain(console, line)
    if not fix_preview:
        return
    diff = preview(source, str(script), advice, recipes.version(_django_text(cases)))
    if not diff:
        print_plain(console, f"{script}: no lines to add")
    elif console.is_terminal:
        console.print(Syntax(diff, "diff", word_wrap=True, background_color="default"))
    else:
        print_plain(console, diff)


def _django_text(cases: Sequence[CaseResult]) -> str:
    return next((case.versions["django"] for case in cases if case.versions.get("django")), "")


def advice_lines(
    advice: Sequence[Advice], cases: Sequence[CaseResult], source: str, script: Path, paths: Sequence[str]
) -> Iterator[str]:
    """The advice: a sentence each, with its lines of Python below; nothing where there is none."""
    if not advice:
        return
    version = _django_text(cases)
    django = recipes.version(version)
    yield f"what to do about it, in {script.name}, for Django {version or '?'}:"
    for piece in advice:
        yield f"  {piece.about}: {piece.says}"
        moved = edited(source, [msgspec.structs.replace(piece, lines=())], django) if piece.set_up else source
        yield from (f"    | {line}" for line in _added(source, moved))
        yield from (f"    | {line}" for line in piece.lines)
    if any(piece.set_up for piece in advice) and takes_from_requests(source):
        yield "  note: this script reads variables from a request's environ (SetEnv), which is then too late for the"
        yield "  settings: set them when the script is imported"
    warm = f", warm={list(dict.fromkeys(paths))}"
    yield "  or everything that a script can do, in one call:"
    yield from (f"    | {line}" for line in recipes.bootstrap(str(project_directory(script)), warm))
    yield "  (--fix-preview shows the script with these lines in it)"


def _added(before: str, after: str) -> list[str]:
    """The lines that `after` has and `before` has not."""
    return [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if re.match(r"\+ .*\S", line)]
