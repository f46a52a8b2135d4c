"""The structure that docs/development/whats-here.md promises."""

from pathlib import Path

import pytest

from tools.house import PAGE, House, drawing, with_drawing

HOUSE = House(Path(__file__).resolve().parents[1])


def test_drawing_is_true():
    """The drawing on the page is the one that the code gives."""
    text = (HOUSE.top / PAGE).read_text()
    assert with_drawing(text, drawing(HOUSE)) == text, "python -m tools.house draw"


@pytest.mark.parametrize(
    "names",
    [HOUSE.against_direction, HOUSE.unclear_classes, HOUSE.server_names],
    ids=["direction", "class-names", "server"],
)
def test_nothing_stands_wrong(names):
    """No import against the direction, no class name with two meanings, no server named outside its rooms."""
    assert [] == names()


def test_few_stand_at_the_top():
    """A stranger sees at most 24 names in harness/."""
    assert len(HOUSE.entries()) <= 24


def test_the_seam_is_narrow():
    """A new server implements at most 9 members of Host."""
    assert 0 < len(HOUSE.abstract_members()) <= 9


def test_one_judge_and_one_reader():
    """Controls are judged in one place, and histories read in one."""
    assert ["harness.checkers.yardstick:Yardstick.of"] == HOUSE.judges()
    assert ["harness.store.stored_case:StoredCase"] == HOUSE.readers()


def test_names_say_what_they_hold():
    """Few variables are called by a word that says nothing."""
    assert HOUSE.all_purpose_names().total() < 100


@pytest.fixture
def crooked(tmp_path):
    """A house in which everything is wrong that can be."""
    room = tmp_path / "harness" / "checkers"
    room.mkdir(parents=True)
    (tmp_path / "harness" / "__init__.py").write_text("")
    (room / "answers.py").write_text(
        "from harness.report.console import say\n"
        "from harness.checkers.controls import judge_controls\n"
        "class Told: pass\nclass Row: pass\n"
        "def f(found): return [judge_controls(each) for each in found.apache_children]\n"
    )
    (room / "rows.py").write_text("from harness.errors import nearest\nclass _Row: pass\n")
    return House(tmp_path)


def test_what_is_wrong_is_seen(crooked):
    """Each of the measures finds what it is for; an import down the direction is none."""
    assert ["harness.checkers.answers imports harness.report.console"] == crooked.against_direction()
    assert ["Row (2 meanings)", "Told"] == crooked.unclear_classes()
    assert ["harness.checkers.answers: apache_children"] == crooked.server_names()
    assert {"each": 1, "found": 1} == crooked.all_purpose_names()
    assert ["harness.checkers.answers:f"] == crooked.judges()
