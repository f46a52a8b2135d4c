"""The state that a stampede leaves behind: what is a race, and what only looks like one."""

import pytest
from build import OTHER_PROCESS, PROCESS, make_control, make_trial, make_watched, make_yardstick

from harness.checkers.grade import grade
from harness.checkers.state import changed_state
from harness.records import State


def state(process=PROCESS, failed=(), **entries):
    return State(process=process, entries=entries, failed=failed)


def after(entries, *controls):
    """The findings of a trial whose state differs by `entries`, against controls of these states."""
    baseline = make_yardstick(*(make_control(number=n, states=(state(**each),)) for n, each in enumerate(controls, 1)))
    return list(changed_state(make_trial(states=(state(**entries),)), baseline))


SOUND = {"umask": "0022", "invariant": 1}


class TestChanged:
    def test_flagged(self):
        """An entry that both controls agree on, and the trial does not share, is a race of class wrong-state."""
        (found,) = after({"umask": "0077"}, SOUND, SOUND)

        assert ("wrong-state", "wrong-state") == (found.outcome, found.race_class)
        assert "umask is 0077 after the stampede, but 0022 after one request at a time" in found.summary

    def test_equal(self):
        """A trial that differs in nothing has no finding."""
        assert [] == after({}, SOUND, SOUND)

    def test_volatile(self):
        """What differs between two controls is nobody's fault, whatever the trial has."""
        assert [] == after({"umask": "0077"}, SOUND, {**SOUND, "umask": "0027"})

    def test_missing(self):
        """An entry that is gone, or new, is told as such."""
        gone, new = after({"umask": None, "TZ": "UTC"}, SOUND, SOUND)

        assert "umask is missing after the stampede" in gone.summary
        assert "TZ is UTC after the stampede, but missing" in new.summary

    def test_sometimes_missing(self):
        """One that only one of the controls had is volatile."""
        assert [] == after({"umask": None}, SOUND, {"invariant": 1})


class TestInvariant:
    def test_more(self):
        """A number of the site's own that is higher than in any control was done too often."""
        (found,) = after({"invariant": 8}, SOUND, SOUND)

        assert ("duplicate-init", "duplicate-init") == (found.outcome, found.race_class)

    @pytest.mark.parametrize("value", [0, "8"])
    def test_other(self, value):
        """A lower one, or something that is no number, is wrong state."""
        (found,) = after({"invariant": value}, SOUND, SOUND)

        assert "wrong-state" == found.outcome


def test_warm_process():
    """A process that was not cold proves nothing."""
    baseline = make_yardstick(make_control(states=(state(**SOUND),)))
    trial = make_trial(states=(state(umask="0077"),), processes=(make_watched(fresh=False),))

    assert [] == list(changed_state(trial, baseline))


def test_not_told():
    """A hook that raised makes the case inconclusive, never clean."""
    baseline = make_yardstick(make_control(states=(state(**SOUND),)))
    asked = grade(make_trial(states=(state(failed=("the site's invariant: KeyError: 'x'",)),)), baseline)

    assert ("state: the site's invariant: KeyError: 'x'",) == asked.failed_checkers
    assert () == grade(make_trial(states=(state(),)), baseline).failed_checkers


def test_each_process():
    """Of several processes each is judged."""
    baseline = make_yardstick(make_control(states=(state(**SOUND),)))
    trial = make_trial(states=(state(), state(OTHER_PROCESS, umask="0077")))

    assert [str(OTHER_PROCESS)] == [each.process for each in changed_state(trial, baseline)]
