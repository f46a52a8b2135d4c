"""What the corpus counts: correct verdicts, races found, false alarms."""

import io

import pytest
from build import make_case, make_expectation, make_grade, make_tally
from rich.console import Console

from harness.cases.scenario import CorpusRow
from harness.errors import BadInput
from harness.report import corpus
from harness.result import case_result

RACE = make_expectation("race", {"ok": "expected", "error": "acceptable"})
SOUND = make_expectation(["clean", "hazard"])
NO_RACE = make_expectation("hazard")


def result(scenario, outcomes, expectation, schedule="natural"):
    case = make_case(id=f"{scenario}::{schedule}", scenario=scenario, schedule=schedule, expectation=expectation)
    tally = make_tally(*(make_grade(counts, number=n, end=float(n)) for n, counts in enumerate(outcomes, 1)))
    return case_result(case, tally, duration=1.0, backend="local", versions={})


OK, BAD = {"ok": 2}, {"ok": 1, "error": 1}
ROW_OF = {
    "leak": CorpusRow(row="leak", release="affected"),
    "leak-fixed": CorpusRow(row="leak", release="fixed"),
}


def row(*cases):
    (only,) = corpus.rows_of(cases, ROW_OF)
    return only


def test_found():
    """A race on the affected release and none on the fixed one: correct."""
    race = row(result("leak", [OK, BAD], RACE), result("leak-fixed", [OK, OK], SOUND))
    assert (True, True, True, 0) == (race.is_race, race.detected, race.correct, race.false_alarms)


def test_missed():
    """A race that no trial of the affected release found is missed: not detected, not correct, and no false alarm."""
    race = row(result("leak", [OK, OK], RACE), result("leak-fixed", [OK, OK], SOUND))
    assert (False, False, 0) == (race.detected, race.correct, race.false_alarms)


def test_false_alarm():
    """A race on the fixed release is a false alarm, and the row is not correct for all that was found."""
    race = row(result("leak", [BAD], RACE), result("leak-fixed", [OK, BAD], SOUND))
    assert (True, False, 1) == (race.detected, race.correct, race.false_alarms)


def test_no_race():
    """Of a row that is none, calling it a race is a false alarm on the affected release too."""
    race = row(result("leak", [BAD], NO_RACE))
    assert (False, False, 1) == (race.is_race, race.correct, race.false_alarms)


def test_one_schedule_is_enough():
    """A race that only perturbation finds is found; the columns stay apart."""
    race = row(result("leak", [OK], RACE), result("leak", [OK, OK, BAD], RACE, "perturbed"))
    assert race.correct
    text = io.StringIO()
    corpus.print_corpus(Console(file=text, width=200), [race])
    assert "clean, 0 of 1" in text.getvalue()
    assert "failed-request, 1 of 3; first in trial 3" in text.getvalue()
    assert "verdict correct 1/1, races found 1/1, false alarms 0" in text.getvalue()


def test_files(tmp_path):
    """A directory without any is bad input."""
    with pytest.raises(BadInput, match="no scenario there belongs to the corpus"):
        corpus.corpus_files(tmp_path)
