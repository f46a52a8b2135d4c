"""Initialisation inside requests is told from initialisation before them, and twice from once."""

import pytest
from build import (
    OTHER_PROCESS,
    make_answer,
    make_control,
    make_inside,
    make_request_span,
    make_span,
    make_trial,
    make_yardstick,
)

from harness.checkers.initialisation import duplicate_init, lazy_work

REQUEST_SPANS = (make_request_span(0), make_request_span(1))


def lazy(*spans):
    return lazy_work(make_trial(inside=(make_inside(*spans),)))


def duplicates(*spans, again=(), control=()):
    """The findings of a trial with these spans, against controls with those."""
    trial = make_trial(inside=(make_inside(*REQUEST_SPANS, *spans, executed_again=again),))
    inside = make_inside(*control) if not isinstance(control, str) else make_inside(executed_again=(control,))
    return list(duplicate_init(trial, make_yardstick(make_control(inside=(inside,)))))


class TestLazy:
    def test_inside(self):
        """A span on a request's thread within that request is lazy; the other request waited."""
        (found,) = lazy(*REQUEST_SPANS, make_span("settings", 1.2, 1.45, name="books.settings"))

        assert ("settings", "books.settings", 250.0, 1) == (
            found.kind, found.name, found.milliseconds, found.waiters,
        )  # fmt: skip

    def test_before(self):
        """A span that ended before the request began is not."""
        assert [] == lazy(*REQUEST_SPANS, make_span("settings", 0.5, 1.0))

    def test_thread_without_request(self):
        """A span on a thread that serves no request is not, though requests are in the process."""
        assert [] == lazy(*REQUEST_SPANS, make_span("settings", thread=99))

    @pytest.mark.parametrize("kind", ["script", "request"])
    def test_other_kinds(self, kind):
        """The script's import, and a request itself, are no lazy work."""
        assert [] == lazy(*REQUEST_SPANS, make_span(kind, 1.2, 1.4))

    @pytest.mark.parametrize(
        ("waiters", "others"),
        [
            (0, []),
            (0, [make_request_span(1, begin=1.5)]),
            (1, [make_request_span(1, begin=1.3)]),
            (1, [make_request_span(1, begin=1.1, end=None)]),
            (2, [make_request_span(1), make_request_span(2)]),
        ],
        ids=["alone", "later", "during", "open", "two"],
    )
    def test_waiters(self, waiters, others):
        """Waiters are the other requests that were in the process while it ran."""
        (found,) = lazy(make_request_span(0), *others, make_span("settings", 1.2, 1.4))

        assert waiters == found.waiters

    def test_other_process(self):
        """A request in another process does not wait."""
        other = make_inside(make_request_span(1, process=OTHER_PROCESS), process=OTHER_PROCESS)
        (found,) = lazy_work(make_trial(inside=(make_inside(make_request_span(0), make_span()), other)))

        assert 0 == found.waiters

    def test_never_ended(self):
        """Work that never ended lasted until the trial was over."""
        (found,) = lazy(make_request_span(0, end=None), make_span(begin=1.2, end=None))

        assert 1800.0 == found.milliseconds


class TestDuplicates:
    @pytest.mark.parametrize("kind", ["settings", "middleware"])
    def test_twice(self, kind):
        """Settings or a middleware chain built twice, and once in the control, are a duplicate."""
        spans = (make_span(kind, thread=1), make_span(kind, 1.25, 1.45, thread=2))
        (found,) = duplicates(*spans, control=[make_span(kind)])

        assert "duplicate-init" == found.outcome == found.race_class
        assert "2 times by 2 threads" in found.summary
        assert "(one request at a time: once)" in found.summary

    def test_evidence(self):
        """The evidence has a line for each span, with its request."""
        spans = (make_span("settings", thread=1), make_span("settings", 1.25, 1.45, thread=2))
        (found,) = duplicates(*spans)

        assert 2 == len(found.evidence)
        assert ["request 1.0", "request 1.1"] == [line.split(", ")[1] for line in found.evidence]

    def test_once(self):
        """Once is right, even where the control's process had it never (a control that stopped early)."""
        assert [] == duplicates(make_span("settings"))

    def test_two_controls(self):
        """Once in each of two controls is once; the control that did it most often counts."""
        once, twice = [make_span("settings")], [make_span("settings", thread=thread) for thread in (1, 2)]
        trial = make_trial(inside=(make_inside(*REQUEST_SPANS, *twice),))

        for expected, counts in ((1, (once, once)), (0, (once, twice)), (0, (twice, once))):
            controls = [make_control(inside=(make_inside(*spans),)) for spans in counts]
            assert expected == len(list(duplicate_init(trial, make_yardstick(*controls))))

    def test_as_often_as_in_control(self):
        """As often as in the control is the site's own way; once more is not."""
        twice = [make_span("settings", thread=1), make_span("settings", thread=2)]

        assert [] == duplicates(*twice, control=twice)
        assert 1 == len(duplicates(*twice, make_span("settings", thread=3), control=twice))

    @pytest.mark.parametrize("kind", ["resolver", "template-engine", "catalogue", "urlconf", "app-registry"])
    def test_unseen_kinds(self, kind):
        """Resolver tables and the like built twice cannot be seen from outside: no race, but a hazard."""
        twice = (make_span(kind, thread=1), make_span(kind, thread=2))

        assert [] == duplicates(*twice)
        assert 2 == len(lazy(*REQUEST_SPANS, *twice))

    def test_two_processes(self):
        """Once in each of two processes is once."""
        insides = (
            make_inside(make_span("settings")),
            make_inside(make_span("settings", process=OTHER_PROCESS), process=OTHER_PROCESS),
        )

        assert [] == list(duplicate_init(make_trial(inside=insides), make_yardstick()))

    def test_after_the_stampede(self):
        """What is built after the last answer of the stampede is not the stampede's doing."""
        spans = (make_span("settings"), make_span("settings", 2.5, 2.6))

        assert [] == duplicates(*spans)

    def test_no_answer_complete(self):
        """Where no answer was complete the whole trial counts."""
        answer = make_answer(last_byte=None, failure="open")
        spans = (make_span("settings"), make_span("settings", 2.5, 2.6, thread=2))
        trial = make_trial(answer, inside=(make_inside(*REQUEST_SPANS, *spans),))

        assert 1 == len(list(duplicate_init(trial, make_yardstick())))


class TestExecutedAgain:
    def test_module(self):
        """A module that was executed a second time is named, with how often."""
        (found,) = duplicates(again=("shop.orders",))

        assert "duplicate-init" == found.race_class
        assert "module shop.orders was executed 2 times in one process" == found.summary

    def test_in_control_too(self):
        """One that is executed again in the control too is the site's own way."""
        assert [] == duplicates(again=("shop.orders",), control="shop.orders")

    def test_in_both_controls(self):
        """Once in each of two controls is once there."""
        inside = make_inside(executed_again=("shop.orders",))
        baseline = make_yardstick(*[make_control(inside=(inside,))] * 2)
        trial = make_trial(inside=(make_inside(executed_again=("shop.orders",) * 2),))

        assert 1 == len(list(duplicate_init(trial, baseline)))

    def test_more_often(self):
        """... but not once more than there."""
        assert 1 == len(duplicates(again=("shop.orders", "shop.orders"), control="shop.orders"))

    def test_another(self):
        """... and not another module."""
        assert 1 == len(duplicates(again=("shop.invoices",), control="shop.orders"))
