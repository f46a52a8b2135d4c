"""The story of a race: true to the record, and silent about what is not in it."""

from build import (
    PROCESS,
    make_answer,
    make_control,
    make_finding,
    make_inside,
    make_mishap,
    make_request_span,
    make_span,
    make_trial,
    make_yardstick,
)

from harness.checkers.grade import grade
from harness.checkers.story import tell

CIRCULAR = "AttributeError: partially initialized module 'shop.orders' has no attribute 'total'"
TRACE = (
    'Traceback\n  File "/srv/shop/views.py", line 12, in order\n    x\n  File "/srv/shop/invoices.py", line 7, in net\n'
)
FAILED = (make_answer(0, status=500), make_answer(1, request=1))
RIGHT = (make_answer(0), make_answer(1, request=1))


def trial_of(*spans, error=CIRCULAR, answers=FAILED, **changes):
    spans = (make_request_span(0), make_request_span(1), *spans)
    return make_trial(
        *answers, inside=(make_inside(*spans, mishaps=(make_mishap(error, traceback=TRACE),)),), **changes
    )


def story(trial, **changes):
    fields = {"race_class": "failed-request", "name": "1.0", "key": "error|GET /|AttributeError"} | changes
    control = make_control(make_answer(0), make_answer(1, request=1))
    return tell(make_finding(process=str(PROCESS), **fields), trial, make_yardstick(control, control))


class TestFailedRequest:
    def test_half_done(self):
        """The work of the other thread, the request that met it, what it saw and where, the cost, and the cure."""
        other = make_span("import", 1.2, 1.9, thread=2, name="shop.orders", callers=("/srv/shop/views.py:9 order",))
        assert story(trial_of(other)) == (
            "Thread 2 (GET /two/, request 1.1) was executing module shop.orders from +200.0 ms to +900.0 ms "
            "(called from /srv/shop/views.py:9 order).",
            "Thread 1 (GET /, request 1.0) met it half done in shop/invoices.py line 7 (net) "
            f"and failed at +500.0 ms: {CIRCULAR}.",
            "1 of 2 requests failed: GET / (1).",
            "To prevent it: import shop.orders while the script is imported, by one thread.",
        )

    def test_own_work(self):
        """What the failing thread did itself is nothing it met."""
        own = make_span("import", 1.2, 1.9, thread=1, name="shop.orders")
        assert story(trial_of(own))[0].startswith("Thread 1 (GET /, request 1.0) failed at +500.0 ms")

    def test_done_before(self):
        """Nor what was done before the request came."""
        before = make_span("import", 0.2, 0.3, thread=2, name="shop.orders")
        assert not any("met it" in each for each in story(trial_of(before)))

    def test_other_kind(self):
        """Work that the error says nothing of is not blamed, though it went on at that moment."""
        other = make_span("catalogue", 1.2, 1.9, thread=2, name="de")
        assert not any("catalogue" in each for each in story(trial_of(other)))

    def test_silent_error(self):
        """An error that names nothing is told with the latest work that was under way."""
        spans = [
            make_span("urlconf", 1.2, 1.9, thread=2, name="a"),
            make_span("settings", 1.3, 1.8, thread=2, name="b"),
        ]
        assert "building the settings b" in story(trial_of(*spans, error="ValueError: no"))[0]

    def test_no_mishap(self):
        """Where the probe saw no exception, only the cost is told."""
        assert ("1 of 2 requests failed: GET / (1).",) == story(trial_of(), name="1.7")

    def test_recovery(self):
        """Whether the process answered correctly afterwards."""
        sound = trial_of(follow_up=(make_answer(0),))
        poisoned = trial_of(follow_up=(make_answer(0, status=500),))
        assert any("has answered correctly since" in each for each in story(sound))
        assert any("has kept failing since" in each for each in story(poisoned))


def test_wrong_answer():
    """An answer with the right status and a wrong page has failed: it is not counted as a right one."""
    told = story(trial_of(answers=(make_answer(0, body="another page"), make_answer(1, request=1))), name="1.7")
    assert "1 of 2 requests failed: GET / (1)." == told[0]


class TestDuplicate:
    def test_settings(self):
        """Who began, who started the same before it was finished, and that no client noticed."""
        spans = [
            make_span("settings", 1.2, 1.6, thread=1, name="s"),
            make_span("settings", 1.3, 1.7, thread=2, name="s"),
        ]
        told = story(
            trial_of(*spans, answers=RIGHT),
            race_class="duplicate-init",
            kind="settings",
        )
        assert told[0].startswith(
            "Thread 1 (GET /, request 1.0) was building the settings s from +200.0 ms to +600.0 ms"
        )
        assert "Thread 2 (GET /two/, request 1.1) started the same work before that was finished." == told[1]
        assert told[2].startswith(
            "All 2 requests got the right answer, so no client noticed; the slowest took 1000 ms."
        )
        assert told[3].startswith("To prevent it: load the settings while the script is imported")

    def test_module(self):
        """A module that was executed twice is named by the finding; another one that ran meanwhile is not."""
        spans = [
            make_span("import", 1.2, 1.6, thread=1, name="shop.orders"),
            make_span("import", 1.25, 1.3, thread=1, name="shop.orders.sums"),
            make_span("import", 1.5, 1.7, thread=2, name="shop.orders"),
        ]
        duplicate = {"race_class": "duplicate-init", "kind": "module"}
        told = story(trial_of(*spans, answers=RIGHT), **duplicate, module="shop.orders")
        assert told[0].startswith("Thread 1 (GET /, request 1.0) was executing module shop.orders from +200.0 ms")
        assert "Thread 2 (GET /two/, request 1.1) started the same work before that was finished." == told[1]
        assert "To prevent it: import shop.orders while the script is imported, by one thread." == told[-1]
        assert not any("started the same" in each for each in story(trial_of(*spans), **duplicate, module="shop"))


class TestState:
    def test_prevention(self):
        """State that two threads have changed is set once, before requests come."""
        told = story(trial_of(answers=RIGHT), race_class="wrong-state", kind="state", subject="umask")
        assert "To prevent it: set it once, while the script is imported, and not in requests." == told[-1]

    def test_key(self):
        """The key counts findings; what it says is no fact of a story."""
        told = story(trial_of(answers=RIGHT), race_class="wrong-state", key="state|umask")
        assert not any("To prevent it" in each for each in told)


def test_first_of_a_kind():
    """Only the first finding of a kind carries its story."""
    answers = (make_answer(0, status=500), make_answer(1, status=500))
    found = [each for each in grade(trial_of(answers=answers), make_yardstick()).findings if each.outcome == "error"]
    assert [True, False] == [bool(each.story) for each in found] or len({each.key for each in found}) == 2
