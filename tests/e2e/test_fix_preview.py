"""Advice that is put into a script, and checked there."""

from pathlib import Path

import pytest

from harness.advice import advise
from harness.advice.script_edit import edited

pytestmark = pytest.mark.e2e
SITES = Path(__file__).resolve().parents[2] / "sites"


def test_the_advice_cures_a_deferred_script(harness_cold_start, python, open_tmp_path):
    """Its race and every hazard go when the lines are put into it."""
    paths = ["/", "/login/", "/hello/"]
    source = (SITES / "mysite" / "scripts" / "deferred.wsgi").read_text()
    before = harness_cold_start(SITES / "mysite/scripts/deferred.wsgi", python=python, trials=10, paths=paths)
    assert before.verdict in ("race", "hazard")
    advised = edited(source, advise(before, paths), (5, 2)).replace(
        "os.path.dirname(os.path.dirname(os.path.abspath(__file__)))", repr(str(SITES / "mysite"))
    )
    (open_tmp_path / "advised.wsgi").write_text(advised)
    after = harness_cold_start(open_tmp_path / "advised.wsgi", python=python, trials=10, paths=paths)
    assert ("clean", []) == (after.verdict, [each.kind for each in after.hazards if each.max_waiters])


def test_preview_leaves_the_script(command, python):
    """`check --fix-preview` shows the advice, and the script with it as a diff; the script itself is not changed."""
    script = SITES / "mysite" / "scripts" / "default.wsgi"
    before = script.read_bytes()
    done = command("check", script, "--python", python, "--mode", "daemon", "--trials", 4, "--fix-preview")
    assert "what to do about it, in default.wsgi, for Django 5.2" in done.stdout
    assert f"--- {script}" in done.stdout
    assert "+    get_resolver().reverse_dict" in done.stdout
    assert before == script.read_bytes()
