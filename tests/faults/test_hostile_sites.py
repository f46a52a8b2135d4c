"""A few of the hostile sites, each as the campaign checks it; and the campaign's own rules."""

import os
import subprocess
import sys
from pathlib import Path

import campaign_sites as campaign
import pytest

CAMPAIGN = Path(campaign.__file__)
SCRIPTS = sorted(campaign.SITES.glob("*.wsgi"))
# One of a kind each: dies, floods, attacks the record, attacks the terminal, and a race among them.
FEW = (
    "plain",
    "segfaults_when_met",
    "error_with_evil_name",
    "links_the_pipe",
    "exits_in_import",
    "name_with_directive",
)


@pytest.mark.hostile
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_truth(script):
    """Each site has a truth beside it, in words of the verdicts; where several would be honest it says why."""
    truth = campaign.read_truth(script)
    assert truth.shows.endswith(".")
    assert truth.lane in ("check", "explore")
    assert len(truth.verdict) == 1 or truth.why


@pytest.mark.hostile
def test_enough_of_them():
    """They are as many as the project says, and not two of them are the same script."""
    texts = {"\n".join(line for line in path.read_text().splitlines() if not line.startswith("#:")) for path in SCRIPTS}
    assert len(SCRIPTS) >= 180
    assert len(texts) >= 150  # some stand there once more for another mode, name or lane


@pytest.mark.hostile
@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("all is well\n", []),
        ("\x1b[31mred", ["a control character"]),
        ("user \u202etxt", ["a control character"]),
        ("::error::x", ["a CI command"]),
        ("a ##[error]x", ["a CI command"]),
        ("check::daemon::a::natural", []),
        ("    | Traceback (most recent call last):", []),
        ("Traceback (most recent call last):", ["a traceback"]),
        ("x" * 70_000, ["70000 characters"]),
    ],
)
def test_what_is_unfit(text, wrong):
    """What a terminal or a CI service would obey is found, and what only looks like it is not."""
    problems = list(campaign._unfit(text, "output"))
    assert len(wrong) == len(problems)
    assert all(word in problem for word, problem in zip(wrong, problems, strict=True))


@pytest.mark.hostile
@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0, reason="the site would be the same user as the harness")
def test_few_sites():
    """A few sites are judged as they should be, and leave nothing."""
    only = [word for name in FEW for word in ("--only", name)]
    command = [sys.executable, str(CAMPAIGN), *only, "--trials", "3", "--limit", "90", "--show"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{len(FEW)} of {len(FEW)} as they should be" in done.stdout, done.stdout + done.stderr
