"""The story of a race: true to the record, and silent about what is not in it."""

import pytest
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
    make_witness,
    make_yardstick,
)

from harness.checkers.cause import cause_of
from harness.checkers.grade import grade
from harness.checkers.story import tell
from harness.records import CodePlace, Lead

CIRCULAR = "AttributeError: partially initialized module 'shop.orders' has no attribute 'total'"
TRACE = (
    'Traceback\n  File "/srv/shop/views.py", line 12, in order\n    x\n  File "/srv/shop/invoices.py", line 7, in net\n'
)
FAILED = (make_answer(0, status=500), make_answer(1, request=1))
RIGHT = (make_answer(0), make_answer(1, request=1))


def trial_of(*spans, error=CIRCULAR, answers=FAILED, witness=None, **changes):
    spans = (make_request_span(0), make_request_span(1), *spans)
    mishap = make_mishap(error, traceback=TRACE, witness=witness)
    return make_trial(*answers, inside=(make_inside(*spans, mishaps=(mishap,)),), **changes)


def story(trial, **changes):
    fields = {"race_class": "failed-request", "name": "1.0", "key": "error|GET /|AttributeError"} | changes
    control = make_control(make_answer(0), make_answer(1, request=1))
    return tell(make_finding(process=str(PROCESS), **fields), trial, make_yardstick(control, control))


NET = CodePlace("/srv/shop/invoices.py", 7, "net", "shop.invoices")
BODY = CodePlace("/srv/shop/orders.py", 3, "<module>", "shop.orders")
SETTINGS = Lead(
    "object", "django.conf.settings", CodePlace("/x/django/conf/__init__.py", 81, "__getattr__", "django.conf")
)


def half_done(*threads):
    """Of a module that is still being executed, by these threads."""
    return make_witness(Lead("module", "shop.orders", NET, "shop2.views"), threads=threads)


class TestFailedRequest:
    def test_half_done(self):
        """Which request failed where, the module that was half done, who was executing it, the cost, and the cure."""
        other = make_span("import", 1.2, 1.9, thread=2, name="shop.orders", callers=("/srv/shop/views.py:9 order",))
        assert story(trial_of(other, witness=half_done((2, (BODY,))))) == (
            f"Thread 1 (GET /, request 1.0) failed at +500.0 ms in shop/invoices.py line 7 (net): {CIRCULAR}.",
            "Module shop.orders was still being executed by thread 2, at shop/orders.py line 3 (<module>), when "
            "shop/invoices.py line 7 (net) used it.",
            "Thread 2 (GET /two/, request 1.1) was executing module shop.orders from +200.0 ms to +900.0 ms "
            "(called from /srv/shop/views.py:9 order).",
            "1 of 2 requests failed: GET / (1).",
            "To prevent it: import shop.orders while the script is imported, by one thread.",
        )

    def test_own_work(self):
        """What the failing thread did itself is nothing it met."""
        own = make_span("import", 1.2, 1.9, thread=1, name="shop.orders")
        assert not any("was executing" in sentence for sentence in story(trial_of(own)))

    @pytest.mark.parametrize(("begin", "end"), [(0.2, 0.3), (1.2, 1.49), (1.51, 1.9)], ids=str)
    def test_not_under_way(self, begin, end):
        """Nor what was over when the request failed, were it in the middle of it, or came only then: a consequence."""
        other = make_span("import", begin, end, thread=2, name="shop.orders")
        told = story(trial_of(other, witness=half_done()))
        assert not any("was executing" in sentence or "To prevent" in sentence for sentence in told)

    def test_other_kind(self):
        """Work that makes something else is not blamed, though it went on at that moment."""
        other = make_span("catalogue", 1.2, 1.9, thread=2, name="de")
        for witness in (None, half_done(), make_witness(SETTINGS)):
            assert not any("catalogue" in sentence for sentence in story(trial_of(other, witness=witness)))

    def test_maker(self):
        """The work of another thread that was making the object that the failing code worked on."""
        spans = [
            make_span("urlconf", 1.4, 1.9, thread=2, name="a"),
            make_span("settings", 1.3, 1.8, thread=2, name="b"),
        ]
        told = story(trial_of(*spans, error="ValueError: no", witness=make_witness(SETTINGS)))
        assert told[1:3] == (
            "The failing code, conf/__init__.py line 81 (__getattr__), worked on django.conf.settings, which all "
            "threads share.",
            "Thread 2 (GET /two/, request 1.1) was building the settings b from +300.0 ms to +800.0 ms.",
        )

    def test_company(self):
        """Who was in the failing function at that moment is told, and no more is made of it."""
        code = Lead("code", "shop.invoices", NET, "django.core.handlers.base")
        beside = (2, (CodePlace("/lib/threading.py", 5, "acquire", "threading"), NET))
        told = story(trial_of(error="KeyError: 'net'", witness=make_witness(code, threads=(beside,))))
        assert told[1:3] == (
            "It failed in shop/invoices.py line 7 (net), which belongs to shop, called through django.",
            "In the same function at that moment: thread 2 at line 7.",
        )
        assert not any("To prevent it" in sentence for sentence in told)

    def test_silent_record(self):
        """Where the record shows nothing that another thread did, the story says so."""
        silent = "What another thread did to cause it, the record does not show."
        code = Lead("code", "shop.invoices", NET)
        for witness in (None, make_witness(code), make_witness(code, threads=((2, (BODY,)),))):
            assert silent in story(trial_of(error="ValueError: no", witness=witness))

    def test_later_failure(self):
        """A later failure of the process is told with what was seen at the first one only if it is of the same kind."""
        first = make_mishap("KeyError: 'net'", traceback=TRACE, witness=half_done())
        for error, same in (("KeyError: 'gross'", True), ("ValueError: no", False)):
            later = make_mishap(error, request="1.1", at=1.6)
            spans = (make_request_span(0), make_request_span(1))
            trial = make_trial(*FAILED, inside=(make_inside(*spans, mishaps=(first, later)),))
            assert same == any("still being executed" in sentence for sentence in story(trial, name="1.1"))
            assert same == (cause_of(trial.evidence, "1.1") is not None)

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
