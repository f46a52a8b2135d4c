"""A site that fails one request at a time is broken, told from one that was asked the wrong question."""

import pytest
from build import (
    OTHER_PROCESS,
    REQUESTS,
    make_answer,
    make_control,
    make_inside,
    make_log,
    make_lost_answer,
    make_mishap,
    make_request_span,
    make_watched,
)

from harness.checkers.controls import judge_controls
from harness.errors import BadInput, Inconclusive
from harness.records import Request


def judge(*answers, requests=REQUESTS, **control):
    return judge_controls([make_control(), make_control(*answers, number=2, **control)], requests)


def failing(*errors, requests=REQUESTS, **control):
    """The judgement of a control in which each answer is a 500 with its error."""
    mishaps = tuple(make_mishap(error, request=f"c2.{user}") for user, error in enumerate(errors))
    answers = [make_answer(user, status=500) for user in range(len(errors))]
    return judge(*answers, requests=requests, inside=(make_inside(mishaps=mishaps),), **control)


class TestSound:
    @pytest.mark.parametrize("status", [200, 204, 301, 304])
    def test_right(self, status):
        """A 2xx or 3xx is right."""
        assert judge(make_answer(status=status)) is None

    def test_declared(self):
        """A status that the scenario declares is right, be it a 4xx or a 5xx."""
        requests = (Request(path="/", status=503), Request(path="/two/", status=404))

        assert judge_controls(
            [make_control(make_answer(status=503), make_answer(1, request=1, status=404))], requests
        ) is None  # fmt: skip

    def test_declared_but_not_got(self):
        """Where a status is declared, 200 is not right."""
        with pytest.raises(BadInput, match="got status 200 for GET /"):
            judge(make_answer(), requests=(Request(path="/", status=404),))


class TestRefused:
    @pytest.mark.parametrize(
        ("status", "cause"),
        [
            (400, "ALLOWED_HOSTS"),
            (401, "need a login"),
            (403, "CSRF token"),
            (404, "does the page exist"),
            (405, "accept this method"),
            (418, "a working page does not answer"),
        ],
    )
    def test_cause(self, status, cause):
        """An undeclared 4xx is the request's fault: the cause is named, and how to declare it."""
        with pytest.raises(BadInput) as caught:
            judge(make_answer(status=status))

        message = str(caught.value)
        assert cause in message
        assert f"got status {status} for GET /" in message
        assert f"status = {status}" in message

    def test_beside_an_error(self):
        """A 5xx beside it outweighs it: then the site is broken."""
        assert "error" == judge(make_answer(status=404), make_answer(1, status=500)).broken_class


class TestError:
    def test_same_each_time(self):
        """The same error at every request is a plain error, told once."""
        found = failing("KeyError: 'x'", "KeyError: 'x'")

        assert "error" == found.broken_class == found.outcome
        assert "GET / fails one request at a time too (status 500): KeyError: 'x'" == found.summary

    def test_first_differs(self):
        """A first error that differs from what every later request meets has poisoned the process."""
        found = failing("OperationalError: down", "RuntimeError: populate() isn't reentrant",
                        "RuntimeError: populate() isn't reentrant")  # fmt: skip

        assert "poisoned" == found.broken_class == found.outcome
        assert "fails with OperationalError: down, and every later one with RuntimeError" in found.summary

    def test_recovered(self):
        """A process whose last request is right is not poisoned."""
        mishaps = (make_mishap("KeyError: 'x'", request="c2.0"), make_mishap("TypeError: y", request="c2.1"))
        answers = [make_answer(0, status=500), make_answer(1, status=500), make_answer(2)]

        assert "error" == judge(*answers, inside=(make_inside(mishaps=mishaps),)).broken_class

    def test_two_broken_pages(self):
        """Two pages, each with an error of its own at every request, are no poisoned process."""
        errors = ["KeyError: 'one'", "TypeError: two"] * 2
        mishaps = tuple(make_mishap(error, request=f"c2.{user}") for user, error in enumerate(errors))
        answers = [make_answer(user, request=user % 2, status=500) for user in range(4)]

        assert "error" == judge(*answers, inside=(make_inside(mishaps=mishaps),)).broken_class

    def test_page_beside_it(self):
        """A page whose second error differs has poisoned the process, whatever other pages do meanwhile."""
        errors = ["KeyError: 'one'", "TypeError: two", "RuntimeError: one again", "TypeError: two"]
        mishaps = tuple(make_mishap(error, request=f"c2.{user}") for user, error in enumerate(errors))
        answers = [make_answer(user, request=user % 2, status=500) for user in range(4)]
        found = judge(*answers, inside=(make_inside(mishaps=mishaps),))

        assert "poisoned" == found.broken_class
        assert "fails with KeyError: 'one', and every later one with RuntimeError: one again" in found.summary

    @pytest.mark.parametrize(
        "errors",
        [
            ("KeyError: <A at 0x7f01>", "KeyError: <A at 0x7f02>"),
            ("OSError: at 12:59:01", "OSError: at 13:00:00"),
        ],
        ids=["address", "time"],
    )
    def test_volatile_message(self, errors):
        """One error whose message differs each time (an address, a time) is no poisoned process."""
        assert "error" == failing(*errors).broken_class

    def test_two_broken_pages_in_log(self):
        """Nor are two pages with an error of their own each, where only the log tells of them."""
        answers = [make_answer(user, request=user % 2, status=500) for user in range(4)]
        found = judge(*answers, log=make_log(*["KeyError: 'one'", "TypeError: two"] * 2))

        assert "error" == found.broken_class

    def test_chained_in_log(self):
        """Nor is one error that the log tells, each time, together with the one that it was raised from."""
        lines = ["KeyError: 'x'", "During handling of the above exception, another exception occurred:", "TypeError: y"]
        found = judge(make_answer(0, status=500), make_answer(1, status=500), log=make_log(*lines * 2))

        assert "error" == found.broken_class

    def test_poisoned_in_log(self):
        """One page whose error differs the second time has poisoned the process, told by the log alone too."""
        log = make_log("OperationalError: down", "RuntimeError: populate() isn't reentrant")
        found = judge(make_answer(0, status=500), make_answer(1, status=500), log=log)

        assert "poisoned" == found.broken_class

    def test_log(self):
        """Without the probe the server's log tells the error."""
        found = judge(make_answer(status=500), log=make_log("Traceback (...)", "KeyError: 'x'"))

        assert found.summary.endswith(": KeyError: 'x'")
        assert "KeyError: 'x'" in found.evidence

    @pytest.mark.parametrize(
        ("error", "hint"),
        [
            ("AppRegistryNotReady: Apps aren't loaded yet.", "django.setup()"),
            ("ModuleNotFoundError: No module named 'books'", "on sys.path"),
            ("ModuleNotFoundError: No module named 'django'", "--python"),
            ("ModuleNotFoundError: No module named 'django_books'", "on sys.path"),
            ("ImproperlyConfigured: Requested setting X, but", "set DJANGO_SETTINGS_MODULE"),
        ],
    )
    def test_hint(self, error, hint):
        """A well-known error brings its cure."""
        assert hint in failing(error).summary.partition("(hint: ")[2]

    def test_no_hint(self):
        """An unknown error brings none."""
        assert "hint" not in failing("KeyError: 'x'").summary

    def test_reset(self):
        """A connection lost one request at a time is the site's error too."""
        found = judge(make_lost_answer(failure="reset"))

        assert "error" == found.broken_class
        assert "(reset)" in found.summary


class TestOpen:
    @pytest.mark.parametrize(("user", "words"), [(0, "the first request"), (2, "request number 3")])
    def test_hang(self, user, words):
        """A request left open while the CPU time stands still hangs; it is told which one it was."""
        found = judge(make_lost_answer(user), processes=(make_watched(idle=True),))

        assert "hang" == found.broken_class == found.outcome
        assert found.summary.startswith(f"{words} to a cold process (GET /) hangs")

    @pytest.mark.parametrize(
        "processes",
        [
            (make_watched(idle=False),),
            (make_watched(idle=None),),
            (make_watched(idle=True), make_watched(OTHER_PROCESS, idle=False)),
            (make_watched(idle=True, gone=True),),
            (),
        ],
        ids=["working", "unknown", "one-working", "gone", "none"],
    )
    def test_slow(self, processes):
        """Left open while a process works, or with none to watch, it is slow: nothing is known of the site."""
        with pytest.raises(Inconclusive, match=r"load\.timeout"):
            judge(make_lost_answer(), processes=processes)


@pytest.mark.parametrize(("failure", "words"), [("truncated", "ended early: why"), ("malformed", "can read: why")])
def test_bad_answer(failure, words):
    """An answer that is not whole, one request at a time too, is an error of the site, though its status is right."""
    broken = judge_controls([make_control(make_answer(failure=failure, body="why"))], REQUESTS)
    assert "error" == broken.broken_class
    assert words in broken.summary


def test_cut_answer():
    """One that the harness has cut proves nothing."""
    with pytest.raises(Inconclusive, match="was cut off: why"):
        judge_controls([make_control(make_answer(failure="cut", body="why"))], REQUESTS)


@pytest.mark.parametrize("raised", [True, False])
def test_raised_in_the_body(raised):
    """A request that raises after the begin of its answer is an error too; the near-twin is right."""
    span = make_request_span(0, name="c1.0", failed=raised)
    inside = make_inside(span, mishaps=(make_mishap(request="c1.0"),) if raised else ())
    broken = judge_controls([make_control(make_answer(0), inside=(inside,))], REQUESTS)
    assert raised == (broken is not None)
    if raised:
        assert "raised before the end of its answer" in broken.summary
        assert "ValueError: no" in broken.summary


def test_declared_error_may_raise():
    """Where a status of 500 is declared to be right, the exception behind it is no news."""
    inside = make_inside(make_request_span(0, name="c1.0", failed=True))
    requests = (Request(path="/", status=500),)
    assert judge_controls([make_control(make_answer(0, status=500), inside=(inside,))], requests) is None
