"""A site's text reaches terminals and CI logs as text, and nothing in it is obeyed."""

import io

import pytest
from build import CONTROLS, make_case, make_failing_trial, store_run
from rich.console import Console

from harness.errors import BadInput, printable
from harness.report import markdown
from harness.report.console import print_plain, print_result
from harness.store.regrade import regrade

pytestmark = pytest.mark.hostile


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("a\rb\x08c\x9bd\x7f", r"a\rb\x08c\x9bd\x7f"),
        ("user\u202etxt.exe\u2066", r"user\u202etxt.exe\u2066"),
        ("half \ud800", r"half \ud800"),
        ("::error file=a::gone", ": :error file=a::gone"),
        ("said\n  ::add-mask::x", "said\n  : :add-mask::x"),
        ("a ##[error]b ##vso[task]c", "a ## [error]b ## vso[task]c"),
    ],
)
def test_is_broken_up(given, shown):
    """Control characters, marks of direction, and the commands of CI services are shown and not obeyed."""
    assert shown == printable(given)
    assert shown == str(BadInput(given))


@pytest.mark.parametrize(
    "text", ["plain", "tab\tand\nline", "Grüße, 日本語 …", "mysite::daemon::default", "a ## b [c]", "x\ny::z"]
)
def test_leaves_the_rest(text):
    """Ordinary text, case ids and line ends stay as they are."""
    assert text == printable(text)


def test_console_prints_it_so():
    """What is printed as it is passes through the same function."""
    console = Console(file=io.StringIO(), width=80)
    print_plain(console, "::error::\x1b[31m [bold]")
    assert r": :error::\x1b[31m [bold]" == console.file.getvalue().strip()


def test_reports(tmp_path):
    """Names and errors of a site are not obeyed in the table, nor in Markdown, which CI services log."""
    evil = "\u202ex\x1b[31m"
    stored = (make_case(script=evil), *CONTROLS, make_failing_trial(error=f"ValueError: {evil}\n::error::owned"))
    result = regrade(store_run(tmp_path, stored))
    console = Console(file=io.StringIO(), width=200)
    print_result(console, result)
    for text in (console.file.getvalue(), markdown.render(result)):
        assert r"\u202ex\x1b[31m" in text.replace("\\\\", "\\").replace(r"\[", "[")
        assert "\u202e" not in text
        assert "\x1b" not in text
        assert "\n::" not in text
