"""From judged trials to what the gate compares, and where the old of a comparison comes from."""

import subprocess

import pytest
from build import make_answer, make_case, make_inside, make_lost_answer, make_request_span, make_span, make_yardstick
from build import make_trial as build_trial

from harness.checkers.grade import grade
from harness.errors import BadInput
from harness.gate.against import old_case
from harness.gate.compare import alarms
from harness.gate.measure import observe
from harness.gate.pairs import TrialTiming, compare_pairs, timing_of


def make_trial(*spans, number=1, answers=(), **more):
    """A cold trial of two requests that met, with these spans inside."""
    inside = make_inside(make_request_span(0), make_request_span(1), *spans)
    return build_trial(*(answers or (make_answer(0), make_answer(1))), inside=(inside,), number=number, **more)


def graded(*spans, **more):
    return grade(make_trial(*spans, **more), make_yardstick())


def seen(grades):
    return observe(make_case(), grades, backend="local", verdict="hazard", reason="", ratios=(3.14159,))


def test_initialisation_is_counted_by_trials():
    """Twice in one trial and once in another are two trials of three."""
    late = make_span("urlconf", name="mysite.urls")
    counts = seen([graded(late, make_span("urlconf", name="mysite.urls", thread=2)), graded(late), graded()])
    assert ({"urlconf mysite.urls": 2}, 3, 2) == (counts.lazy, counts.cold, counts.lazy_in_request)
    assert (3, 0, {}) == (counts.trials, counts.bad_trials, counts.bad)
    assert (3.14,) == counts.first_over_warm


def test_bad_trials_are_counted_by_class():
    """A trial with an error and one with duplicate settings: two bad trials, one of each class."""
    error = graded(answers=(make_answer(0), make_answer(1, status=500, body="no")))
    twice = graded(make_span("settings"), make_span("settings", thread=2))
    counts = seen([error, twice, graded()])
    assert ({"duplicate-init": 1, "failed-request": 1}, 2) == (counts.bad, counts.bad_trials)


def test_ineffective_trial_counts_dropped_only():
    """A trial of one request alone is not effective and counts as made only; the refused request is counted too."""
    inside = (make_inside(make_request_span(0)),)
    alone = grade(build_trial(make_answer(0), make_lost_answer(1, failure="refused"), inside=inside), make_yardstick())
    counts = seen([alone])
    assert (0, 1, 1) == (counts.trials, counts.made, counts.dropped)


def test_times_count_from_the_release():
    """First good and last answer count from the release; a failure is not good, a missing one makes the last None."""
    answers = (make_answer(0, last_byte=1.5), make_answer(1, last_byte=2.5))
    trial = make_trial(answers=answers)
    assert (0.2, 0.5, 1.5) == as_tuple(timing_of(trial, grade(trial, make_yardstick()), 0.2))
    failing = make_trial(answers=(make_answer(0, status=500, last_byte=1.2), make_answer(1, last_byte=2.5)))
    assert 1.5 == timing_of(failing, grade(failing, make_yardstick()), 0.2).first
    lost = make_trial(answers=(make_answer(0, last_byte=1.5), make_answer(2), make_lost_answer(1)))
    assert timing_of(lost, grade(lost, make_yardstick()), 0.2).last is None


def as_tuple(timing):
    return timing.cpu, timing.first, timing.last


def test_warm_trial_is_not_timed():
    """A trial that was not cold, since its process had answered before, is not timed."""
    warm = make_trial(answers=(make_answer(0, count=7), make_answer(1, count=8)))
    assert (None, None, None) == as_tuple(timing_of(warm, grade(warm, make_yardstick()), 0.2))


def pairs(old, new, factor):
    """Sixteen pairs, the new `factor` times as slow."""
    return [
        (
            TrialTiming(old, 0.2 + n / 1000, 0.3, 0.5),
            TrialTiming(new, factor * (0.2 + n / 1000), factor * 0.3, factor * 0.5),
        )
        for n in range(16)
    ]


def test_pairs_compare_counts_and_times():
    """A step that moved into the request, a slower start: each is found, alone or together; the same again is not."""
    case, late = make_case(), graded(make_span("urlconf", name="late"))

    def worse(new, factor):
        return [
            alarm.test.what for alarm in alarms(compare_pairs(case, case, pairs(graded(), new, factor), "compared"))
        ]

    assert [] == worse(graded(), 1.0)
    assert 3 == len(worse(graded(), 1.3))
    assert ["'urlconf late' runs inside requests in 16 of 16 (before: 0 of 16)"] == worse(late, 1.0)
    assert 4 == len(worse(late, 1.3))


# -- the old one -----------------------------------------------------------------------------------------


@pytest.fixture
def site(tmp_path):
    """A git repository with a site whose script has changed since its first commit."""
    script = tmp_path / "repo" / "sites" / "shop" / "scripts" / "main.wsgi"
    script.parent.mkdir(parents=True)

    def git(*arguments):
        who = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        subprocess.run(["git", "-C", tmp_path / "repo", *who, *arguments], check=True, capture_output=True)

    git("init", "-q")
    script.write_text("old")
    git("add", ".")
    git("commit", "-qm", "old")
    git("tag", "v1")
    script.write_text("new")
    (script.parent / "other.wsgi").write_text("other")
    return script


def test_the_old_script_comes_from_git(site, tmp_path):
    """The whole site of that revision is put into a directory of its own; today's stays as it is."""
    case = make_case().model_copy(update={"script_path": site, "site_dir": site.parents[1]})
    old = old_case(case, "v1", tmp_path / "place")
    assert ("old", "new") == (old.script_path.read_text(), site.read_text())
    assert f"{case.id}::old" == old.id


def test_old_script_by_name_or_path(site, tmp_path):
    """The old script may be another one, given by its name in the site, or by its path."""
    case = make_case().model_copy(update={"script_path": site, "site_dir": site.parents[1]})
    for against in ("other", str(site.parent / "other.wsgi")):
        assert "other" == old_case(case, against, tmp_path / "place").script_path.read_text()


@pytest.mark.parametrize("against", ["othr", "v2", "-x", "v1:sites"])
def test_what_is_neither_is_bad_input(site, tmp_path, against):
    """No file, no script, no revision; a mistyped script gets the nearest."""
    case = make_case().model_copy(update={"script_path": site, "site_dir": site.parents[1]})
    with pytest.raises(BadInput, match="no git revision") as caught:
        old_case(case, against, tmp_path / "place")
    assert against != "othr" or "did you mean 'other'" in str(caught.value)


def test_revision_without_script_is_bad_input(site, tmp_path):
    """A right revision in which the site has no such script yet is bad input."""
    case = make_case().model_copy(update={"script_path": site.parent / "other.wsgi", "site_dir": site.parents[1]})
    with pytest.raises(BadInput, match=r"other\.wsgi is not in that revision"):
        old_case(case, "v1", tmp_path / "place")
