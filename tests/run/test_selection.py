"""From the scenarios that a user names to cases."""

from pathlib import Path

import pytest

from harness.errors import BadInput
from harness.run.selection import load_scenarios, select_cases
from harness.runtimes.spec import declared_runtimes

ROOT = Path(__file__).resolve().parents[2]
MYSITE = ROOT / "scenarios" / "mysite.toml"


def select(**options):
    return select_cases([MYSITE], ROOT / "sites", declared_runtimes(), **options)


def test_all_cases_of_a_scenario():
    """Without options the cases are as the file says; with them, as the options say."""
    (scenario,) = [scenario for _, scenario in load_scenarios([MYSITE])]
    assert {scenario.trials} == {case.trials for case in select()}
    assert {(7, 5, "django6")} == {
        (case.trials, case.seed, case.runtime) for case in select(trials=7, seed=5, runtime="django6")
    }


def test_a_pattern_chooses():
    """Only cases whose id contains it are left."""
    chosen = select(pattern="daemon::default")
    assert chosen
    assert all("daemon::default" in case.id for case in chosen)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"pattern": "daemn"}, "--case 'daemn' matches none of the cases"),
        ({"runtime": "django25"}, "runtime 'django25' is not declared; did you mean"),
    ],
)
def test_nothing_to_run(options, sentence):
    """A pattern that matches nothing and a runtime that is not declared are bad input."""
    with pytest.raises(BadInput, match=sentence):
        select(**options)
