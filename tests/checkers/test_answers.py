"""The outcome of each answer, told from its near-twin."""

import pytest
from build import (
    ERROR_PAGE,
    OTHER_PROCESS,
    PAGE,
    make_answer,
    make_control,
    make_inside,
    make_log,
    make_lost_answer,
    make_mishap,
    make_request_span,
    make_trial,
    make_watched,
    make_yardstick,
)

from harness.checkers.answers import errors_in, explain, grade_answer, grade_answers, grade_follow_up, own_frames
from harness.checkers.grade import grade


def outcome(answer, **trial):
    return grade_answer(answer, make_trial(answer, **trial), make_yardstick())[0]


def words(answer, **trial):
    return grade_answer(answer, make_trial(answer, **trial), make_yardstick())[1]


class TestAnswered:
    def test_ok(self):
        """An answer like the control's is ok, and needs no words."""
        assert ("ok", "") == grade_answer(make_answer(), make_trial(), make_yardstick())

    @pytest.mark.parametrize(
        ("expected", "changes"),
        [
            ("error", {"status": 500, "body": ERROR_PAGE}),
            ("wrong", {"status": 404}),
            ("wrong", {"status": 302}),
            ("wrong", {"headers": {"content-type": "text/plain"}}),
            ("wrong", {"headers": {}}),
            ("wrong", {"headers": {"content-type": "text/html", "location": "/login/"}}),
            ("wrong", {"body": PAGE.replace("Moby-Dick", "Typee")}),
            ("wrong", {"body": ""}),
            ("unknown", {"request": 1}),
            ("ok", {"headers": {"content-type": "text/html", "date": "today"}}),
        ],
    )
    def test_different(self, expected, changes):
        """A 5xx is an error; another status, compared header or body is wrong; other headers do not count."""
        assert expected == outcome(make_answer(**changes))

    def test_two_right_statuses(self):
        """A status is right if any control had it."""
        baseline = make_yardstick(make_control(), make_control(make_answer(status=304)))

        assert "ok" == grade_answer(make_answer(status=304), make_trial(), baseline)[0]

    @pytest.mark.parametrize(
        ("expected", "changes"),
        [
            ("got status 500 instead of 200", {"status": 500}),
            ("got a wrong header content-type: expected 'text/html', got 'text/plain'",
             {"headers": {"content-type": "text/plain"}}),
            ("got a wrong body: expected", {"body": "other"}),
            ("got status 200, but no control sent this request", {"request": 1}),
        ],
    )  # fmt: skip
    def test_words(self, expected, changes):
        """The words say what was expected and what came."""
        assert words(make_answer(**changes)).startswith(expected)


class TestOpen:
    @pytest.mark.parametrize(
        ("expected", "processes"),
        [
            ("hang", [{"idle": True}]),
            ("slow", [{"idle": False}]),
            ("slow", [{"idle": None}]),
            ("slow", [{"idle": True}, {"idle": False, "process": OTHER_PROCESS}]),
            ("hang", [{"idle": True}, {"idle": False, "process": OTHER_PROCESS, "gone": True}]),
            ("slow", []),
        ],
    )
    def test_idle(self, expected, processes):
        """An open request hangs only if the CPU time of all living processes stood still; otherwise it is slow."""
        processes = tuple(make_watched(**each) for each in processes)

        assert expected == outcome(make_lost_answer(), processes=processes)

    @pytest.mark.parametrize("idle", [True, False, None])
    def test_all_gone(self, idle):
        """An open request whose only process ended is a crash: there is no CPU time that could stand still."""
        processes = (make_watched(gone=True, idle=idle),)

        assert "crash" == outcome(make_lost_answer(), processes=processes)
        assert "its process ended" in words(make_lost_answer(), processes=processes)


class TestLost:
    @pytest.mark.parametrize("failure", ["reset", "refused"])
    @pytest.mark.parametrize(("expected", "gone"), [("crash", True), ("dropped", False)])
    def test_connection(self, expected, gone, failure):
        """A lost connection is a crash if a process ended uncalled, and else was dropped."""
        answer = make_lost_answer(failure=failure)

        assert expected == outcome(answer, processes=(make_watched(gone=gone),))
        assert f"({failure})" in words(answer, processes=(make_watched(gone=gone),))

    @pytest.mark.parametrize("status", [502, 503, 504])
    def test_server_without_process(self, status):
        """A 502, 503 or 504 of the server's own was dropped; the same of the site's is an error."""
        assert "dropped" == outcome(make_answer(status=status, process=None))
        assert "error" == outcome(make_answer(status=status))

    @pytest.mark.parametrize(("alive", "status"), [("error", 500), ("dropped", 503)])
    def test_server_after_crash(self, alive, status):
        """The server's own 5xx for a process that ended is a crash; the site's is an error all the same."""
        gone = (make_watched(gone=True),)

        assert "crash" == outcome(make_answer(status=status, process=None), processes=gone)
        assert "error" == outcome(make_answer(status=status), processes=gone)
        assert alive == outcome(make_answer(status=status, process=None))


class TestFindings:
    def test_one_each(self):
        """Each answer that is not ok has a finding; one that is ok has none."""
        trial = make_trial(make_answer(0), make_answer(1, status=500), make_answer(2))
        graded = list(grade_answers(trial, make_yardstick()))

        assert ["ok", "error", "ok"] == [name for name, _ in graded]
        assert [False, True, False] == [finding is not None for _, finding in graded]

    @pytest.mark.parametrize(
        ("expected", "answer"),
        [
            ("failed-request", make_answer(status=500)),
            ("failed-request", make_answer(status=404)),
            ("hang", make_lost_answer()),
            (None, make_lost_answer(failure="reset")),
            (None, make_answer(request=1)),
        ],
        ids=["error", "wrong", "hang", "dropped", "unknown"],
    )
    def test_race_class(self, expected, answer):
        """A hang is of its own class, a failure is a failed request, and what proves nothing has no class."""
        trial = make_trial(answer, processes=(make_watched(idle=True),))
        ((_, finding),) = grade_answers(trial, make_yardstick())

        assert expected == finding.race_class

    def test_slow(self):
        """Nor has a slow answer."""
        trial = make_trial(make_lost_answer(), processes=(make_watched(idle=False),))
        ((name, finding),) = grade_answers(trial, make_yardstick())

        assert ("slow", None) == (name, finding.race_class)

    def test_named(self):
        """A finding names trial, request and process."""
        ((_, finding),) = grade_answers(make_trial(make_answer(status=500), number=7), make_yardstick())

        assert (7, "GET /", "100@5000") == (finding.trial, finding.request, finding.process)

    def test_same_story(self):
        """Two failures with errors of one type tell one story; of another type, or unlike outcome, another."""
        mishaps = (
            make_mishap("KeyError: 'a'", request="1.0"),
            make_mishap("KeyError: 'b'", request="1.1"),
            make_mishap("TypeError: c", request="1.2"),
        )
        answers = [make_answer(user, status=500) for user in range(3)]
        trial = make_trial(*answers, inside=(make_inside(mishaps=mishaps),))
        first, second, third = (finding.key for _, finding in grade_answers(trial, make_yardstick()))

        assert first == second
        assert first != third


class TestFollowUp:
    @pytest.mark.parametrize(
        "answer",
        [make_answer(status=500), make_answer(body="other"), make_lost_answer()],
        ids=["error", "wrong", "hang"],
    )
    def test_poisoned(self, answer):
        """A single request after the stampede that still fails shows a poisoned process."""
        trial = make_trial(follow_up=(answer,), processes=(make_watched(idle=True),))
        ((name, finding),) = grade_follow_up(trial, make_yardstick())

        assert "poisoned" == name == finding.outcome
        assert "failed-request" == finding.race_class
        assert "one request at a time, still" in finding.summary

    @pytest.mark.parametrize(
        ("expected", "answer"),
        [
            (["ok"], make_answer()),
            (["dropped"], make_lost_answer(failure="reset")),
            (["slow"], make_lost_answer()),
        ],
    )
    def test_not_poisoned(self, expected, answer):
        """A right, a dropped or a slow follow-up does not."""
        trial = make_trial(follow_up=(answer,), processes=(make_watched(idle=False),))

        assert expected == [name for name, _ in grade_follow_up(trial, make_yardstick())]

    def test_crash(self):
        """So does one that loses its process; a process that lives on may have dropped it."""
        lost = make_lost_answer(failure="reset")
        trial = make_trial(follow_up=(lost,), processes=(make_watched(gone=True),))

        assert ["poisoned"] == [name for name, _ in grade_follow_up(trial, make_yardstick())]


class TestExplain:
    TRACEBACK = (
        'Traceback (most recent call last):\n  File "/srv/books/views.py", line 3, in page\n    no()\nValueError: no'
    )

    def test_probe(self):
        """The probe's error of that very request explains it, rather than another's or the log's."""
        mishaps = (make_mishap("KeyError: 'x'", request="1.1"), make_mishap(traceback=self.TRACEBACK))
        trial = make_trial(inside=(make_inside(mishaps=mishaps),), log=make_log("TypeError: log"))

        assert ("ValueError: no", tuple(self.TRACEBACK.splitlines())) == explain("1.0", trial)

    def test_log(self):
        """Where the probe saw nothing of it, the last error in the log is quoted as the log's."""
        trial = make_trial(log=make_log("ValueError: first", "something else", "TypeError: last"))

        assert "the server's log of that moment says TypeError: last" == explain("1.0", trial)[0]

    def test_fields(self):
        """The finding's error and place are plain, whoever saw the error; its summary says that it is the log's."""
        traceback = self.TRACEBACK.splitlines()
        bad = (make_answer(0, status=500), make_answer(1))
        seen = make_trial(*bad, inside=(make_inside(mishaps=(make_mishap(traceback=self.TRACEBACK),)),))
        logged = make_trial(*bad, log=make_log(*traceback))

        for quoted, trial in ((False, seen), (True, logged)):
            ((_, finding), _) = grade_answers(trial, make_yardstick())
            assert ("ValueError: no", "/srv/books/views.py:3") == (finding.error, finding.place)
            assert ("", "", "") == (finding.kind, finding.module, finding.subject)
            assert quoted == ("the server's log of that moment says" in finding.summary)

    def test_nothing(self):
        """Where nobody saw an error there is no explanation."""
        assert ("", ()) == explain("1.0", make_trial(log=make_log("a notice")))

    @pytest.mark.parametrize(
        ("expected", "line"),
        [
            (True, "ValueError: no"),
            (True, "django.core.exceptions.AppRegistryNotReady: Apps aren't loaded yet."),
            (True, "django.db.utils.OperationalError"),
            (False, "  ValueError: quoted in the source"),
            (False, "no ValueError: in the middle"),
            (False, "Notice: nothing"),
        ],
    )
    def test_errors_in(self, expected, line):
        """Only the last line of a traceback is an error line: it begins with the exception's name."""
        assert expected == bool(errors_in(make_log(line)))

    def test_own_frames(self):
        """The probe's frames and the import system's are left out, with the source lines under them."""
        lines = [
            "Traceback (most recent call last):",
            '  File "/srv/books/views.py", line 3, in page',
            "    import shop",
            '  File "/run/harness/probe.py", line 9, in execute',
            "    exec_module(self, module)",
            "    ^^^^^^^^^^^",
            '  File "<frozen importlib._bootstrap>", line 1, in _load',
            '  File "/srv/books/shop.py", line 1, in <module>',
            "    1 / 0",
            "    ~~^~~",
            "ZeroDivisionError: division by zero",
        ]

        assert tuple(lines[:3] + lines[7:9] + lines[10:]) == own_frames(lines)


class TestBadAnswers:
    """Answers that came, but not whole."""

    @pytest.mark.parametrize(
        ("failure", "outcome"), [("truncated", "error"), ("malformed", "error"), ("cut", "unknown")]
    )
    def test_outcome(self, failure, outcome):
        """One that ends early or cannot be read is an error; one that the harness has cut proves nothing."""
        answer = make_answer(failure=failure, body="why", last_byte=None)
        graded = grade(make_trial(answer, make_answer(1)), make_yardstick())
        assert {outcome: 1, "ok": 1} == graded.outcomes
        assert "why" in graded.findings[0].summary
        assert (outcome == "error") == bool(graded.races)
        assert (failure == "cut") == bool(graded.failed_checkers)

    def test_crash(self):
        """When the process has ended it is a crash."""
        trial = make_trial(make_answer(failure="truncated"), processes=(make_watched(gone=True),))
        assert "crash" in grade(trial, make_yardstick()).outcomes

    @pytest.mark.parametrize("raised", [True, False])
    @pytest.mark.parametrize(("status", "name"), [(200, "1.0"), (200, "1.f0")])
    def test_raised_in_the_body(self, raised, status, name):
        """An answer that looks right, and whose request raised into the server, is an error; the near-twin is ok."""
        inside = make_inside(
            make_request_span(0, name=name, failed=raised), make_request_span(1), mishaps=(make_mishap(request=name),)
        )
        trial = make_trial(make_answer(0), make_answer(1), follow_up=(make_answer(0),), inside=(inside,))
        graded = grade(trial, make_yardstick())
        outcome = "error" if name == "1.0" else "poisoned"
        assert ({"ok": 2, outcome: 1} if raised else {"ok": 3}) == graded.outcomes
        if raised:
            assert "ValueError: no" in graded.findings[0].summary
