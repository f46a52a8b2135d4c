"""Progress where no terminal is: quiet, but never silent for long."""

import io

import pytest
from build import make_case, make_grade, make_tally
from rich.console import Console

from harness.report.console import ProgressWatcher
from harness.result import case_result


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def log():
    return io.StringIO()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def watcher(log, clock):
    with ProgressWatcher(Console(file=log, width=120), [make_case()], clock) as watcher:
        watcher.case_begins(make_case())
        yield watcher


def test_a_line_a_minute(watcher, log, clock):
    """A long case says once a minute how far it is, however many trials end meanwhile."""
    for clock.now in range(0, 150, 5):
        watcher.case_goes_on(make_case(), make_tally(make_grade()))
    first, second = log.getvalue().splitlines()
    assert "[1/1] books::daemon::default::natural: 1 of 100 trials, 1 effective, 0 bad, 60 s so far" == first
    assert "120 s so far" in second


def test_short_case_is_one_line(watcher, log, clock):
    """A case of less than a minute is one line, at its end."""
    clock.now = 59
    watcher.case_goes_on(make_case(), make_tally(make_grade()))
    assert "" == log.getvalue()
    watcher.case_ends(
        make_case(), case_result(make_case(), make_tally(make_grade()), duration=59, backend="local", versions={})
    )
    assert 1 == len(log.getvalue().splitlines())


def test_a_skipped_case_is_told(watcher, log):
    """A case that cannot run here is not passed over in silence."""
    watcher.case_skipped(make_case(), "no Python 2.7")
    assert "skipped: no Python 2.7" in log.getvalue()
