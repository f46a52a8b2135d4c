"""Cold is proven and meeting in one process is counted: neither is assumed."""

import pytest
from build import (
    OTHER_PROCESS,
    PROCESS,
    make_answer,
    make_inside,
    make_log,
    make_lost_answer,
    make_request_span,
    make_span,
    make_trial,
    make_watched,
)

from harness.checkers.coldness import is_cold, is_reloaded, most_in_one_process


class TestProven:
    def test_cold(self):
        """A fresh process whose first answer has count 1 is cold."""
        assert is_cold(make_trial())

    def test_order(self):
        """... whatever the order in which the answers arrived."""
        assert is_cold(make_trial(make_answer(0, count=2), make_answer(1, count=1)))

    def test_served_before(self):
        """A process whose first answer here has count 2 has served before: warm."""
        assert not is_cold(make_trial(make_answer(0, count=2), make_answer(1, count=3)))

    def test_one_of_two(self):
        """One warm process among two makes the trial warm."""
        cold, warm = make_answer(0, count=1), make_answer(1, count=2, process=OTHER_PROCESS)

        assert is_cold(make_trial(cold, make_answer(1, count=1, process=OTHER_PROCESS)))
        assert not is_cold(make_trial(cold, warm))

    def test_reused(self):
        """A process of an earlier trial is warm, even if its count says 1 (a count begun anew by a reload)."""
        assert not is_cold(make_trial(processes=(make_watched(fresh=False),)))

    def test_reused_bystander(self):
        """An old process that answered nothing does not matter."""
        assert is_cold(make_trial(processes=(make_watched(), make_watched(OTHER_PROCESS, fresh=False))))


class TestExternal:
    """Where nothing inside could say, /proc must."""

    ANSWERS = (make_answer(0, process=None, count=None), make_answer(1, process=None, count=None))

    @pytest.mark.parametrize(
        ("expected", "processes"),
        [(True, (make_watched(),)), (False, (make_watched(fresh=False),)), (False, ())],
        ids=["fresh", "old", "none"],
    )
    def test_fresh(self, expected, processes):
        """A process started after the last restart is cold, an older one or none at all is not."""
        assert expected == is_cold(make_trial(*self.ANSWERS, processes=processes, inside=()))

    @pytest.mark.parametrize(("expected", "failure"), [(False, "refused"), (True, "reset")])
    def test_refused(self, expected, failure):
        """A refused connection shows that there was no server to be cold; a reset one shows nothing."""
        trial = make_trial(self.ANSWERS[0], make_lost_answer(1, failure))

        assert expected == is_cold(trial)


class TestReloaded:
    def test_reload(self):
        """A server that says so and a warm process make a reload."""
        assert is_reloaded(make_trial(make_answer(count=5), reloaded=True))

    def test_no_line(self):
        """A warm process alone does not."""
        assert not is_reloaded(make_trial(make_answer(count=5), log=make_log("another line")))

    def test_cold(self):
        """A cold process was not reloaded, whatever the log says."""
        assert not is_reloaded(make_trial(reloaded=True))


class TestMeeting:
    def test_spans(self):
        """Requests that began before the first complete answer met; one that began after it did not."""
        spans = (make_request_span(0), make_request_span(1), make_request_span(2, begin=2.1, end=2.2))

        assert 2 == most_in_one_process(make_trial(inside=(make_inside(*spans),)))

    def test_two_processes(self):
        """Requests in two processes did not meet."""
        insides = [
            make_inside(make_request_span(0)),
            make_inside(make_request_span(1, process=OTHER_PROCESS), process=OTHER_PROCESS),
        ]

        assert 1 == most_in_one_process(make_trial(inside=tuple(insides)))

    def test_other_spans(self):
        """Spans of other work are no requests."""
        spans = (make_request_span(0), make_span("settings"), make_span("import"))

        assert 1 == most_in_one_process(make_trial(inside=(make_inside(*spans),)))

    def test_nothing_complete(self):
        """Where no answer ever was complete, all that got in met."""
        trial = make_trial(
            make_lost_answer(0),
            make_lost_answer(1),
            inside=(make_inside(make_request_span(0, end=None), make_request_span(1, end=None)),),
        )

        assert 2 == most_in_one_process(trial)

    def test_by_sending(self):
        """Without spans, what was sent to a single process before the first complete answer counts."""
        early = [make_answer(user, process=None, count=None) for user in range(3)]
        late = make_answer(3, process=None, count=None, sent=2.5)
        unsent = make_lost_answer(4, "refused", sent=None)

        assert 3 == most_in_one_process(make_trial(*early, late, unsent, inside=()))

    def test_by_proof(self):
        """Without spans and with several processes, only proven answers of one process count."""
        answers = [make_answer(0), make_answer(1), make_answer(2, process=OTHER_PROCESS)]
        processes = (make_watched(PROCESS), make_watched(OTHER_PROCESS))

        assert 2 == most_in_one_process(make_trial(*answers, processes=processes, inside=()))
        nameless = [make_answer(user, process=None, count=None) for user in range(3)]
        assert 0 == most_in_one_process(make_trial(*nameless, processes=processes, inside=()))


class TestFirstAnswerLost:
    """The first request of a process failed past the site: the server's own answer carries no count."""

    ANSWERS = (make_answer(0, status=500, process=None, count=None), make_answer(1), make_answer(2))

    def trial(self, *spans):
        return make_trial(*self.ANSWERS, inside=(make_inside(*spans),))

    def test_recorded(self):
        """The recording shows it: cold."""
        assert is_cold(self.trial(*(make_request_span(user, begin=1.1 + user / 100) for user in range(3))))

    def test_incomplete(self):
        """A recording without one of the requests that were counted proves nothing."""
        assert not is_cold(self.trial(*(make_request_span(user) for user in (1, 2))))

    def test_other_trial(self):
        """Nor does one that begins with a request of another trial."""
        spans = [make_request_span(user, begin=1.1 + user / 100) for user in (1, 2)]
        assert not is_cold(self.trial(make_request_span(0, begin=1.0, name="7.0"), *spans))
