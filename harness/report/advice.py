"""Advice on a terminal, and a script with it as a diff."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console
from rich.syntax import Syntax

from harness import recipes
from harness.advice import Advice, advise_all
from harness.report.result import CaseResult
from harness.script_edit import NAME, preview, takes_from_requests


def print_advice(
    console: Console, cases: Sequence[CaseResult], script: Path, paths: Sequence[str], *, fix_preview: bool = False
) -> None:
    """What to do about what was found in cases of one script; with `fix_preview` the script with it in place, as a
    diff. Nothing is written."""
    advice = advise_all(cases, paths)
    source = script.read_text(encoding="utf-8", errors="replace")
    for line in advice_lines(advice, cases, source, script, paths):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    if not fix_preview:
        return
    diff = preview(source, str(script), advice, django_of(cases))
    if not diff:
        console.print(f"{script}: no lines to add", markup=False, highlight=False, soft_wrap=True)
    elif console.is_terminal:
        console.print(Syntax(diff, "diff", word_wrap=True, background_color="default"))
    else:
        console.print(diff, markup=False, highlight=False, soft_wrap=True)


def django_of(cases: Sequence[CaseResult]) -> recipes.Version:
    return recipes.version(next((each.versions["django"] for each in cases if each.versions.get("django")), ""))


def advice_lines(
    advice: Sequence[Advice], cases: Sequence[CaseResult], source: str, script: Path, paths: Sequence[str]
) -> Iterator[str]:
    """The advice, a line each with its lines of Python below; nothing where there is none."""
    if not advice:
        return
    version = next((each.versions["django"] for each in cases if each.versions.get("django")), "?")
    yield f"what to do about it, in {script.name}, for Django {version}:"
    for each in advice:
        yield f"  {each.about}: {each.says}"
        if each.set_up:
            _, expression = recipes.application(recipes.version(version))
            yield f"    | {NAME} = {expression}    at module level, and called where requests come in"
        yield from (f"    | {line}" for line in each.lines)
    if any(each.set_up for each in advice) and takes_from_requests(source):
        yield "  note: what this script takes from a request's environ (SetEnv) is then too late for the settings:"
        yield "  set it when the script is imported"
    warm = f", warm={list(dict.fromkeys(paths))}"
    yield "  or all that a script can do, at once:"
    yield from (f"    | {line}" for line in recipes.bootstrap(str(site_of(script)), warm))
    yield "  (--fix-preview shows the script with these lines in it)"


def site_of(script: Path) -> Path:
    """The directory that holds manage.py, as near to the script as there is one; else the script's parent."""
    for directory in script.resolve().parents[:3]:
        found = [directory / "manage.py", *sorted(directory.glob("*/manage.py"))]
        for each in found:
            if each.is_file():
                return each.parent
    return script.resolve().parent
