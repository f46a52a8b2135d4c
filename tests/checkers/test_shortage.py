"""A trial in which anything ran out proves nothing; a site that fails for its own reasons stays what it is."""

import pytest
from build import (
    make_answer,
    make_control,
    make_inside,
    make_log,
    make_lost_answer,
    make_mishap,
    make_request_span,
    make_tally,
    make_trial,
    make_yardstick,
)

from harness.checkers.grade import grade
from harness.checkers.shortage import void_reason
from harness.verdict import conclude

FILES = "too many open files: raise the limit of open files (ulimit -n)"
TASKS = "no more processes or threads: raise the limit of processes"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("(24)Too many open files: AH00056: connect to listener on 127.0.0.1:80", FILES),
        ("(23)Too many open files in system: AH00567: accept", "on the whole machine"),
        ("(11)Resource temporarily unavailable: AH03104: apr_thread_create: unable to create worker thread", TASKS),
        ("(11)Resource temporarily unavailable: AH00159: fork: Unable to fork new process", TASKS),
        ("(11)Resource temporarily unavailable: WSGI0022: Unable to create worker thread 3 in daemon process", TASKS),
        ("(12)Cannot allocate memory: AH00159: fork: Unable to fork new process", "out of memory"),
        ("(28)No space left on device: AH00023: Couldn't create the mutex", "no space is left"),
        ("harness probe: not installed: OSError(28, 'No space left on device')", "no space is left"),
        ("harness probe: not installed: OSError(122, 'Disk quota exceeded')", "the disk quota"),
        ("harness probe: not installed: OSError(27, 'File too large')", "ulimit -f"),
        ("harness probe: not installed: IOError(24, 'Too many open files')", FILES),
        ('harness probe: not installed: RuntimeError("can\'t start new thread")', TASKS),
    ],
)
def test_log(line, why):
    """The server and the probe say in the log what they ran out of."""
    reason = void_reason(make_trial(log=make_log("a line", line)))
    assert why in reason


@pytest.mark.parametrize(
    "line",
    [
        "OSError: [Errno 24] Too many open files: '/srv/data'",
        "RuntimeError: can't start new thread",
        "MemoryError",
        "(24)Too many open files",
        "site says: (24)Too many open files: AH00056: x",
        "(11)Resource temporarily unavailable: AH01114: HTTP: failed to read from the socket",
        "(13)Permission denied: AH00072: make_sock: could not bind to address",
        "(104)Connection reset by peer: WSGI0080: Unable to read incoming WSGI request",
        "harness probe: not installed: PermissionError(13, 'Permission denied')",
        "harness probe: not installed: ValueError('28')",
    ],
)
def test_other_lines(line):
    """What a site raised, and what is no shortage, is none."""
    assert "" == void_reason(make_trial(log=make_log(line)))


@pytest.mark.parametrize("failure", ["refused", "reset"])
@pytest.mark.parametrize("number", [24, 99, 101, 12, 105])
def test_load_generator(failure, number):
    """So do the errors of the load generator, in the stampede and after it."""
    lost = make_lost_answer(failure=failure, body=f"OSError: [Errno {number}] whatever it is")
    assert void_reason(make_trial(lost)).startswith("the load generator met a limit: ")
    assert void_reason(make_trial(follow_up=(lost,)))
    assert void_reason(make_control(lost))


@pytest.mark.parametrize(
    "answer",
    [
        make_lost_answer(failure="refused", body="[Errno 111] Connection refused"),
        make_lost_answer(failure="reset", body="ConnectionResetError: [Errno 104] Connection reset by peer"),
        make_answer(status=500, body="OSError: [Errno 24] Too many open files"),
        make_answer(body="<p>[Errno 28] No space left on device</p>"),
    ],
)
def test_other_answers(answer):
    """A connection that the server lost is no shortage, nor is anything that the site answered."""
    assert "" == void_reason(make_trial(answer))


class TestVoidTrial:
    TRIAL = make_trial(make_answer(0, status=500), make_answer(1), short=("the server ended during this trial",))

    def test_nothing_is_judged(self):
        """Of a trial that proves nothing no failure counts, and it is neither cold nor effective."""
        graded = grade(self.TRIAL, make_yardstick())
        assert "the server ended during this trial" == graded.void
        assert (False, False, {}, ()) == (graded.cold, graded.effective, graded.outcomes, graded.findings)

    def test_verdict(self):
        """A case with such a trial is inconclusive, and says why."""
        sound = grade(make_trial(), make_yardstick())
        verdict = conclude(make_tally(*[sound] * 9, grade(self.TRIAL, make_yardstick())))
        assert "inconclusive" == verdict.name
        assert "1 of 10 trials prove nothing: the server ended during this trial" == verdict.reason

    def test_race_of_another_trial(self):
        """A race that a sound trial showed stays one."""
        bad = grade(make_trial(make_answer(0, status=500), make_answer(1)), make_yardstick())
        verdict = conclude(make_tally(bad, grade(self.TRIAL, make_yardstick())))
        assert ("race", "1 of 1 trials were bad") == (verdict.name, verdict.reason)

    def test_own_error(self):
        """A site that raises the same error for its own reasons has a race, or is broken."""
        error = "OSError: [Errno 24] Too many open files"
        inside = make_inside(make_request_span(0), make_request_span(1), mishaps=(make_mishap(error),))
        trial = make_trial(make_answer(0, status=500), make_answer(1), inside=(inside,), log=make_log(error))
        assert "race" == conclude(make_tally(grade(trial, make_yardstick()))).name
        control = make_control(make_answer(0, status=500), make_answer(1, status=500), log=make_log(error))
        assert make_yardstick(control, control).broken is not None

    def test_control(self):
        """Controls that met a limit prove nothing: the site is not broken."""
        control = make_control(make_answer(0, status=500), log=make_log("(24)Too many open files: AH00056: x"))
        yardstick = make_yardstick(control, make_control(number=2))
        assert yardstick.broken is None
        assert FILES in yardstick.inconclusive


class TestFailingJudges:
    """Whatever judges may fail, and then nothing is concluded from it."""

    @pytest.mark.parametrize(
        "name", ["void_reason", "is_cold", "is_reloaded", "most_in_one_process", "lazy_work", "tell"]
    )
    def test_grade(self, monkeypatch, name):
        """A part of the grade that fails is named, and the trial's case is not clean."""
        monkeypatch.setattr(f"harness.checkers.grade.{name}", fails)
        graded = grade(make_trial(make_answer(0, status=500), make_answer(1)), make_yardstick())
        assert "ZeroDivisionError" in " ".join([*graded.failed_checkers, graded.void])
        sound = grade(make_trial(), make_yardstick())
        assert name == "tell" or conclude(make_tally(sound)).name in ("inconclusive", "hazard")

    @pytest.mark.parametrize("name", ["void_reason", "judge_controls", "count_work", "_expected"])
    def test_yardstick(self, monkeypatch, name):
        """A yardstick that cannot be built makes the case inconclusive."""
        monkeypatch.setattr(f"harness.checkers.yardstick.{name}", fails)
        control = make_control(inside=(make_inside(make_request_span()),))
        yardstick = make_yardstick(control, control)
        assert "ZeroDivisionError" in yardstick.inconclusive
        assert yardstick.broken is None


def fails(*_, **__):
    raise ZeroDivisionError("a fault of the judge's")
