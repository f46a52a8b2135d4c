"""Bad input to bench, baseline and gate: one sentence, exit code 2, before anything is started."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli import main

ROOT = Path(__file__).resolve().parents[1]
SCENARIO = ROOT / "scenarios" / "mysite.toml"


@pytest.fixture
def refused(tmp_path):
    """Run a command that must be refused: what it said."""

    def refused(*arguments):
        places = ("--results", tmp_path / "results", "--sites", ROOT / "sites", "--backend", "local")
        done = CliRunner().invoke(main, [*map(str, (*arguments, *places))])
        assert 2 == done.exit_code, done.output
        assert "Traceback" not in done.output
        return done.output

    return refused


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("bench", "nope"), "no scenario file nope"),
        (("bench", SCENARIO, "--script", "defalt"), "did you mean 'default'"),
        (("bench", SCENARIO, "--mode", "embedded", "--restart", "touch"), "does not exist in embedded mode"),
        (("bench", SCENARIO, "--restart", "reload"), "no cold start to measure"),
        (("bench", SCENARIO, "--rate", "3"), "too few for a p95"),
        (("bench", SCENARIO, "--restart-at", "3", "--restart-at", "1"), "expected in order"),
        (("bench", SCENARIO, "--json", "/nowhere/b.json"), "there is no directory"),
        (("bench", SCENARIO, "--runtime", "django25"), "django25"),
        (("gate", SCENARIO), "nothing to compare with"),
        (("gate", SCENARIO, "--baseline", "nope"), "there is no such baseline"),
        (("gate", SCENARIO, "--baseline", "../x"), "expected letters"),
        (("gate", SCENARIO, "--against", "nope"), "no git revision"),
        (("gate", SCENARIO, "--against", "HEAD", "--baseline", "x"), "compares within one new run"),
        (("gate", SCENARIO, "--run", "nope"), "no stored run"),
        (("gate", SCENARIO, "--case", "nope"), "matches none"),
        (("baseline", SCENARIO, "--name", "a/b"), "expected letters"),
        (("baseline", SCENARIO, ROOT / "scenarios" / "mysite-touch.toml"), "needs a name"),
    ],
)
def test_a_mistake_is_named(refused, arguments, fragment):
    """With the option or the file, and what was expected."""
    assert fragment in refused(*arguments)


def test_other_schema_is_named(refused, tmp_path):
    """A baseline of another schema is refused with how to make it again."""
    path = tmp_path / "results" / "baselines" / "mysite.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"schema_version": 9}')
    assert "make it again" in refused("gate", SCENARIO)


def test_pytest_refuses_missing_baseline(tmp_path):
    """pytest refuses a baseline that is not there before it collects anything."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--harness-gate=nope"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 4 == done.returncode, done.stdout
    assert "there is no such baseline" in done.stderr
