"""A trial's grade: which trials count, and that a failing checker never passes for clean."""

import pytest
from build import (
    OTHER_PROCESS,
    make_answer,
    make_inside,
    make_lost_answer,
    make_request_span,
    make_span,
    make_tally,
    make_trial,
    make_watched,
    make_yardstick,
)

from harness.checkers import grade as grading
from harness.checkers.grade import grade
from harness.verdict import conclude


def graded(*answers, **trial):
    return grade(make_trial(*answers, **trial), make_yardstick())


@pytest.mark.parametrize(("files", "told"), [(0, True), (1, False), (-1, False)])
def test_disturbed_lines(files, told):
    """A strategy of lines that met none of the chosen packages did nothing: that never passes for clean. One that
    needs no lines did its work."""
    spans = (make_request_span(0), make_request_span(1))
    inside = make_inside(*spans, strategy="at-lines", disturbed_files=files)
    assert told == bool(graded(inside=(inside,)).failed_checkers)


class TestEffective:
    def test_met(self):
        """Two requests that met in one cold process make the trial effective."""
        assert graded().effective

    def test_in_turn(self):
        """Two requests one after the other do not."""
        inside = make_inside(make_request_span(0), make_request_span(1, begin=2.1))

        assert not graded(inside=(inside,)).effective

    def test_two_processes(self):
        """Nor do two requests in two processes."""
        insides = (
            make_inside(make_request_span(0)),
            make_inside(make_request_span(1, process=OTHER_PROCESS), process=OTHER_PROCESS),
        )

        assert not graded(inside=insides).effective

    def test_warm(self):
        """Nor a warm process, however many met there."""
        found = graded(make_answer(0, count=2), make_answer(1, count=3))

        assert (False, False) == (found.cold, found.effective)

    @pytest.mark.parametrize(("expected", "idle"), [(False, False), (True, True)])
    def test_slow(self, expected, idle):
        """Nor one with a slow request; one that hangs is effective."""
        found = graded(make_answer(0), make_lost_answer(1), processes=(make_watched(idle=idle),))

        assert expected == found.effective


class TestExposed:
    def exposed(self, *spans, **trial):
        return graded(inside=(make_inside(make_request_span(0), make_request_span(1), *spans),), **trial).exposed

    def test_lazy(self):
        """Initialisation in a request while another is there exposes the trial."""
        assert self.exposed(make_span("settings", 1.2, 1.4))

    def test_early(self):
        """Initialisation before the requests does not: a good bootstrap is effective and not exposed."""
        assert not self.exposed(make_span("settings", 0.2, 0.4))

    def test_alone(self):
        """Nor does initialisation while no other request is there."""
        inside = make_inside(make_request_span(0), make_request_span(1, begin=1.5), make_span("settings", 1.2, 1.4))
        found = graded(inside=(inside,))

        assert (True, False, 1) == (found.effective, found.exposed, len(found.lazy))

    def test_not_effective(self):
        """A trial that is not effective is never exposed."""
        assert not self.exposed(make_span("settings", 1.2, 1.4), processes=(make_watched(fresh=False),))


class TestOutcomes:
    def test_counted(self):
        """The outcomes of stampede, follow-up and initialisation are counted together, with their findings."""
        twice = [make_span("settings", thread=thread) for thread in (1, 2)]
        found = graded(
            make_answer(0),
            make_answer(1, status=500),
            make_answer(2),
            follow_up=(make_answer(0, status=500),),
            inside=(make_inside(make_request_span(0), make_request_span(1), *twice),),
        )

        assert {"ok": 2, "error": 1, "poisoned": 1, "duplicate-init": 1} == found.outcomes
        assert ["error", "poisoned", "duplicate-init"] == [each.outcome for each in found.findings]
        assert 4 == found.requests

    def test_right_follow_up(self):
        """A right follow-up is an ok request like any other."""
        found = graded(follow_up=(make_answer(2), make_answer(3)))

        assert ({"ok": 4}, 4) == (found.outcomes, found.requests)


class TestLostEvents:
    def test_inconclusive(self):
        """Lost events may have been the evidence: the case is inconclusive, and says why."""
        inside = make_inside(make_request_span(0), make_request_span(1), lost=2)
        found = graded(inside=(inside, make_inside(process=OTHER_PROCESS, lost=3)))

        (reason,) = found.failed_checkers
        assert "events were lost" in reason
        assert ("inconclusive", reason) == ((verdict := conclude(make_tally(found))).name, verdict.reason)

    def test_race(self):
        """A race that was seen all the same is a race."""
        inside = make_inside(make_request_span(0), make_request_span(1), lost=2)
        found = graded(make_answer(0), make_answer(1, status=500), inside=(inside,))

        assert "race" == conclude(make_tally(found)).name


class TestCrashingChecker:
    @pytest.fixture
    def crashing(self, monkeypatch):
        def checker(trial, baseline):
            yield "ok", None
            raise ZeroDivisionError("oops")

        monkeypatch.setitem(grading.CHECKERS, "answers", checker)

    def test_named(self, crashing):
        """A checker that raises is named with its error, and the others go on."""
        found = graded(follow_up=(make_answer(0, status=500),))

        assert ("checker answers failed: ZeroDivisionError: oops",) == found.failed_checkers
        assert 1 == found.outcomes["poisoned"]

    def test_inconclusive(self, crashing):
        """It makes a case inconclusive that would be clean without it."""
        verdict = conclude(make_tally(graded()))

        assert ("inconclusive", "checker answers failed: ZeroDivisionError: oops") == (verdict.name, verdict.reason)

    def test_whole(self):
        """Without it, that case is clean."""
        assert "clean" == conclude(make_tally(graded())).name


class TestRecordings:
    """A site may replace what the probe writes, or the probe."""

    def test_missing(self):
        """A process that has proven its answers, and has no recording, never passes for clean."""
        assert ["the probe's recording of a process is missing, or is none"] == [*graded(inside=()).failed_checkers]

    def test_without_a_probe(self):
        """Where no answer carries a proof there was no probe, and no recording is expected."""
        answers = [make_answer(user, process=None, count=None) for user in (0, 1)]
        assert () == graded(*answers, inside=()).failed_checkers

    def test_empty(self):
        """A recording without any of the requests that were answered is no record of them."""
        answers = [make_answer(user, process=None, count=None) for user in (0, 1)]
        assert ("the probe recorded no request, though requests were answered",) == (
            graded(*answers, inside=(make_inside(),)).failed_checkers
        )

    def test_whole(self):
        """The near-twin: an ordinary trial."""
        assert () == graded().failed_checkers
