"""The Markdown of a run: a table and stories that GitHub and GitLab show, with nothing of a site's taken for markup."""

import pytest
from build import CONTROLS, make_case, make_failing_trial, make_trial, store_run

from harness.report.markdown import plain, render
from harness.result import SkippedCase
from harness.store.regrade import regrade


def rendered(tmp_path, *stored, **changes):
    return render(regrade(store_run(tmp_path, *stored, **changes)))


def failing(error="ValueError: no", **changes):
    return make_case(**changes), *CONTROLS, make_failing_trial(error=error)


def test_verdict_first(tmp_path):
    """The first line is the verdict of the run."""
    assert "## ❌ A race in 1 of 1 case" == rendered(tmp_path, failing()).splitlines()[0]


def test_table(tmp_path):
    """Each case is a row, and every row has as many cells as the head."""
    rows = [
        line
        for line in rendered(
            tmp_path, failing(), (make_case(id="b::daemon::x::natural"), *CONTROLS, make_trial())
        ).splitlines()
        if line.startswith("|")
    ]
    assert 4 == len(rows)
    assert 1 == len({row.count("|") for row in rows})


def test_stories_are_collapsed(tmp_path):
    """Evidence is in a block that opens, with an empty line before its Markdown, and is closed again."""
    text = rendered(tmp_path, failing())
    assert text.count("<details") == text.count("</details>") == 1
    assert "</summary>\n\n" in text
    assert "```text\n" in text
    assert "ValueError: no" in text


def test_a_clean_case_has_no_story(tmp_path):
    """What is as it should be has its row and no more."""
    assert "<details" not in rendered(tmp_path, (make_case(), *CONTROLS, make_trial()))


def test_hostile(tmp_path):
    """Pipes, markup, mentions and fences in an error stay text."""
    error = "ValueError: </details><b>| @everyone #1 ```` x"
    text = rendered(tmp_path, failing(error, scenario="a|b<i>"))
    outside = text.split("`````")  # the fence outgrows what it holds
    assert 3 == len(outside)
    prose = outside[0] + outside[2]
    for part in ("<b>", "<i>", " @everyone", " #1"):
        assert part not in prose.replace("\\<", "").replace("\\@", "").replace("\\#", "")
    assert text.count("\n</details>") == 1


@pytest.mark.parametrize(
    ("given", "expected"), [("a\nb", "a b"), ("a|b", r"a\|b"), ("x_y", r"x\_y"), ("it's (1)", "it's (1)")]
)
def test_plain(given, expected):
    """Text becomes one line, and what Markdown would take for its own is escaped."""
    assert expected == plain(given)


def test_skipped(tmp_path):
    """What could not run is told."""
    assert "no Python" in rendered(tmp_path, failing(), skipped=[SkippedCase(case="c", reason="no Python")])
