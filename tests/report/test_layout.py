"""The timeline: a pure function from a record to lanes and bars."""

from itertools import pairwise

import pytest
from build import (
    OTHER_PROCESS,
    PROCESS,
    REQUESTS,
    make_answer,
    make_control,
    make_failing_trial,
    make_inside,
    make_lost_answer,
    make_request_span,
    make_span,
    make_trial,
    replaced,
)

from harness.records import Frame, ThreadStack
from harness.report.layout import lay_out
from harness.report.timeline import View

BAD = {"1.1": ("error", "got status 500 instead of 200")}


def laid(trial, outcomes=(), **options):
    return lay_out(trial, REQUESTS, dict(outcomes), **options)


def bars(timeline, kind):
    return [bar for bar in timeline.bars if bar.kind == kind]


class TestLanes:
    def test_one_a_thread(self):
        """Each thread of a process is a lane, numbered by who came first."""
        trial = make_trial(inside=(make_inside(make_request_span(1, begin=1.0), make_request_span(0, begin=1.1)),))
        (group,) = laid(trial).groups
        assert ["thread 1", "thread 2"] == [lane.title for lane in group.lanes]
        assert ["GET /", "GET /"] == [bar.name for lane in group.lanes for bar in lane.bars if bar.kind == "request"]

    def test_one_group_a_process(self):
        """Threads of two processes are not mixed."""
        one = make_inside(make_request_span(0))
        other = make_inside(make_request_span(1, process=OTHER_PROCESS), process=OTHER_PROCESS)
        titles = [group.title for group in laid(make_trial(inside=(one, other))).groups]
        assert [True, True] == [
            str(process.pid) in title for process, title in zip((PROCESS, OTHER_PROCESS), titles, strict=True)
        ]

    def test_nested_work_goes_down(self):
        """Initialisation stands under its request, and work within work under that."""
        outer = make_span("app-registry", 1.2, 1.8)
        inner = make_span("import", 1.3, 1.4, name="shop.models")
        after = make_span("middleware", 1.8, 1.9)
        trial = make_trial(inside=(make_inside(make_request_span(0), outer, inner, after),))
        rows = {bar.kind: bar.row for bar in laid(trial).bars}
        assert {"wait": 0, "request": 0, "app-registry": 1, "import": 2, "middleware": 1} == rows

    def test_times_are_of_the_release(self):
        """Bars are in milliseconds since the requests were released."""
        (span,) = bars(laid(make_failing_trial()), "settings")
        assert (300.0, 400.0) == (span.begin, span.end)

    def test_a_wait_is_before_the_request(self):
        """What a client waited for a thread is drawn up to the moment when one took it."""
        (wait, *_) = bars(laid(make_failing_trial()), "wait")
        assert (0.0, 100.0) == (wait.begin, wait.end)

    def test_a_thread_that_serves_twice(self):
        """Of a request that queued behind another on its thread, no wait is drawn over that other."""
        spans = (make_request_span(0, begin=1.1, end=1.5), make_request_span(1, begin=1.6, end=2.0, thread=1))
        first, second = bars(laid(make_trial(inside=(make_inside(*spans),))), "wait")
        assert (500.0, 600.0) == (second.begin, second.end)
        assert first.end <= second.begin

    def test_without_a_recording(self):
        """In black-box mode each overlapping request is a lane of its own, as its client saw it."""
        (group,) = laid(make_trial(inside=())).groups
        assert 2 == len(group.lanes)
        assert "client" in group.title

    def test_one_after_another_share_a_lane(self):
        """The requests of a control that no process recorded are one lane."""
        answers = [make_answer(n, sent=1.0 + n, intended=1.0 + n, last_byte=1.5 + n) for n in range(3)]
        (group,) = lay_out(make_control(*answers), REQUESTS, {}).groups
        assert 1 == len(group.lanes)

    def test_who_waits_for_whom(self):
        """Of a hang, a lane tells what its thread waits for and which thread holds it."""
        stack = ThreadStack(
            thread=1, frames=(Frame("a.py", 1, "f"),), waits_for="import lock", owner=2, process=PROCESS
        )
        trial = make_trial(make_lost_answer(0), make_lost_answer(1), stacks=(stack,))
        assert "waits for import lock, held by thread 2 (this is 1)" in [
            lane.note for lane in laid(trial).groups[0].lanes
        ]


class TestMarks:
    def test_the_failing_request(self):
        """A request that was not ok is marked, and so is its lane; the other is not."""
        timeline = laid(make_failing_trial(), BAD)
        assert [("GET / 200", ""), ("GET / 500", "bad")] == [(b.text, b.mark) for b in bars(timeline, "request")]
        assert [False, True] == [lane.bad for lane in timeline.groups[0].lanes]

    def test_the_moment_of_the_exception(self):
        """The exception stands on its request at the moment when it was seen, with its traceback."""
        (error,) = bars(laid(make_failing_trial(), BAD), "error")
        assert (500.0, 2) == (error.begin, error.thread)
        assert "ValueError: no" == error.evidence[-1]

    def test_what_ran_twice(self):
        """Work that a process did more than once is marked where that is a race."""
        spans = (make_request_span(0), make_span("settings"), make_request_span(1), make_span("settings", thread=2))
        trial = make_trial(inside=(make_inside(*spans),))
        assert ["twice", "twice"] == [bar.mark for bar in bars(laid(trial, repeated=["settings"]), "settings")]
        assert ["", ""] == [bar.mark for bar in bars(laid(trial), "settings")]

    def test_what_never_ended(self):
        """An open request runs past everything that ended."""
        spans = (make_request_span(0, end=None), make_request_span(1))
        trial = make_trial(make_lost_answer(0), make_answer(1), inside=(make_inside(*spans),))
        hanging, done = bars(laid(trial), "request")
        assert hanging.open
        assert not done.open
        assert hanging.end > done.end
        assert hanging.text.endswith("no answer")

    def test_a_request_that_no_thread_took(self):
        """A dropped request has a lane in which it is marked."""
        trial = make_trial(make_answer(0), make_lost_answer(1, "refused"), inside=(make_inside(make_request_span(0)),))
        lost = laid(trial, {"1.1": ("dropped", "was dropped (refused)")}).groups[-1]
        assert [("bad", "GET / refused")] == [(bar.mark, bar.text) for bar in lost.lanes[0].bars]


class TestSize:
    def test_is_bounded(self):
        """Of very much initialisation the shortest is left out, and the layout says how much; requests stay."""
        many = [make_span("import", 1.2 + n / 1000, 1.2 + (n + n / 500) / 1000, name=f"m{n}") for n in range(200)]
        timeline = laid(make_trial(inside=(make_inside(make_request_span(0), make_request_span(1), *many),)), most=50)
        assert (50, 154) == (len(timeline.bars), timeline.left_out)
        assert 2 == len(bars(timeline, "request"))
        assert "m199" in [bar.name for bar in timeline.bars]

    def test_what_is_marked_stays(self):
        """What is marked or never ended is not left out, however short."""
        many = [make_span("import", 1.3, 1.9, name=f"m{n}") for n in range(50)]
        short = make_span("settings", 1.2, 1.2001)
        again = make_span("settings", 1.2, 1.2001, thread=2)
        trial = make_trial(inside=(make_inside(make_request_span(0), *many, short, again),))
        assert 2 == len(bars(laid(trial, repeated=["settings"], most=10), "settings"))


class TestViews:
    def test_begins_with_the_requests(self):
        """Where the script's import takes most of the time, the first view is of the requests alone."""
        spans = [
            make_span("script", 1.0, 1.9, name="/srv/site.wsgi"),
            make_request_span(0, begin=1.9),
            make_request_span(1, begin=1.95),
        ]
        first, *_, whole = laid(make_trial(inside=(make_inside(*spans),))).views
        assert ("Requests", "Whole trial") == (first.name, whole.name)
        assert 850 < first.begin < 900 < whole.length

    def test_what_went_wrong(self):
        """A failure that took a small part of the time has a view of its own."""
        spans = (make_request_span(0, end=9.0), make_request_span(1, begin=1.2, end=1.3))
        names = [view.name for view in laid(make_trial(inside=(make_inside(*spans),)), BAD).views]
        assert "What went wrong" in names

    def test_nothing(self):
        """A trial of which nothing is known can still be laid out."""
        empty = replaced(make_trial(), answers=(), inside=())
        assert [] == laid(empty).bars
        assert laid(empty).views[0].length > 0

    @pytest.mark.parametrize(("begin", "end"), [(0, 1), (-13.5, 800.2), (745.1, 762.4), (0, 0.004), (0, 86_400_000)])
    def test_ticks(self, begin, end):
        """Ticks are evenly spaced, within the view, and few."""
        ticks = View("", begin, end).ticks
        assert 2 <= len(ticks) <= 10
        assert all(begin <= tick <= end for tick in ticks)
        assert 1 == len({round(other - one, 5) for one, other in pairwise(ticks)})
