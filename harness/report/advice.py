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
from harness.report.console import print_plain
from harness.result import CaseResult


def print_advice(
    console: Console, cases: Sequence[CaseResult], script: Path, paths: Sequence[str], *, fix_preview: bool = False
) -> None:
    """What to do about what was found in cases of one script; with `fix_preview` the script with it in place, as a
    diff. Nothing is written."""
    advice = advise_all(cases, paths)
    source = script.read_text(encoding="utf-8", errors="replace")
    for line in advice_lines(advice, cases, source, script, paths):
        print_plain(console, line)
    if not fix_preview:
        return
    diff = preview(source, str(script), advice, django_of(cases))
    if not diff:
        print_plain(console, f"{script}: no lines to add")
    elif console.is_terminal:
        console.print(Syntax(diff, "diff", word_wrap=True, background_color="default"))
    else:
        print_plain(console, diff)


def django_of(cases: Sequence[CaseResult]) -> recipes.Version:
    return recipes.version(next((each.versions["django"] for each in cases if each.versions.get("django")), ""))


def advice_lines(
    advice: Sequence[Advice], cases: Sequence[CaseResult], source: str, script: Path, paths: Sequence[str]
) -> Iterator[str]:
    """The advice, a line each with its lines of Python below; nothing where there is none."""
    if not advice:
        return
    version = next((each.versions["django"] for each in cases if each.versions.get("django")), "?")
    django = recipes.version(version)
    yield f"what to do about it, in {script.name}, for Django {version}:"
    for each in advice:
        yield f"  {each.about}: {each.says}"
        moved = edited(source, [msgspec.structs.replace(each, lines=())], django) if each.set_up else source
        yield from (f"    | {line}" for line in _added(source, moved))
        yield from (f"    | {line}" for line in each.lines)
    if any(each.set_up for each in advice) and takes_from_requests(source):
        yield "  note: what this script takes from a request's environ (SetEnv) is then too late for the settings:"
        yield "  set it when the script is imported"
    warm = f", warm={list(dict.fromkeys(paths))}"
    yield "  or all that a script can do, at once:"
    yield from (f"    | {line}" for line in recipes.bootstrap(str(site_of(script)), warm))
    yield "  (--fix-preview shows the script with these lines in it)"


def _added(before: str, after: str) -> list[str]:
    """The lines that a text has gained."""
    return [line[2:] for line in difflib.ndiff(before.splitlines(), after.splitlines()) if re.match(r"\+ .*\S", line)]


def site_of(script: Path) -> Path:
    """The directory that holds manage.py: above the script, or beside its directory; else where it would be."""
    near, above, *further = script.resolve().parents
    for directory in (near, above, *further[:1]):
        if (directory / "manage.py").is_file():
            return directory
    for directory in (near, above):
        found = list(directory.glob("*/manage.py"))
        if len(found) == 1:
            return found[0].parent
    return above if near.name == "scripts" else near
