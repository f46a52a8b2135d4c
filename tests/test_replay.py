"""Replaying a bad trial: which one is meant, and the smallest case that still fails."""

import dataclasses

import pytest
from build import make_answer, make_case, make_control, make_inside, make_request_span, make_trial

from harness.cases.site import site_digest
from harness.errors import BadInput
from harness.search import replay
from harness.store.history import HistoryWriter
from harness.store.stored_case import StoredCase


@pytest.fixture
def site(tmp_path):
    script = tmp_path / "books" / "scripts" / "default.wsgi"
    script.parent.mkdir(parents=True)
    script.write_text("application = None\n")
    return script


@pytest.fixture
def run(tmp_path, site):
    """A stored run of one case; trial 1 is sound, trial 2 failed while its threads were disturbed."""
    case = make_case(script_path=site, site_dir=site.parents[1], digest=site_digest(site.parents[1]))
    spans = (make_request_span(0), make_request_span(1))
    with HistoryWriter(tmp_path / "run" / "cases" / "books.jsonl", case) as history:
        for number in (1, 2):
            history.add(make_control(number=number))
        history.add(make_trial())
        failed = (make_answer(0, status=500), make_answer(1))
        inside = (make_inside(*spans, strategy="at-lines", seed=77, delays=3),)
        history.add(make_trial(*failed, number=2, inside=inside))
    return tmp_path / "run"


class TestLookUp:
    def test_bad(self, run):
        """A bad trial comes with its race class, and how its threads were disturbed."""
        target = replay.look_up(run, 2, "")

        assert ("failed-request", "at-lines", 77) == (target.race_class, target.strategy, target.seed)
        again = replay.again(target, 9)
        assert (9, True, 77) == (again.trials, again.full, again.perturb.seed)

    def test_sound(self, run):
        """A trial that was not bad cannot be replayed."""
        with pytest.raises(BadInput, match="run run has no bad trial 1"):
            replay.look_up(run, 1, "")

    def test_other_case(self, run):
        """A trial of another case than the one asked for is bad input."""
        with pytest.raises(BadInput, match="no bad trial 2 of a case 'embedded'"):
            replay.look_up(run, 2, "embedded")

    def test_several_cases(self, run):
        """Where several cases have one, all are named."""
        text = (run / "cases" / "books.jsonl").read_text()
        (run / "cases" / "more.jsonl").write_text(text.replace("books::daemon", "books::embedded"))
        with pytest.raises(BadInput, match=r"several cases.*--case \(books::daemon::.*, books::embedded::"):
            replay.look_up(run, 2, "")

    def test_changed_site(self, run, site):
        """A trial is not replayed with other files; bytecode that a Python left behind is no change."""
        (site.parent / "default.pyc").touch()
        assert 2 == replay.look_up(run, 2, "").number
        site.write_text("application = 1\n")
        with pytest.raises(BadInput, match="have changed since run run"):
            replay.look_up(run, 2, "")

    def test_lost_script(self, run, site):
        """A trial whose script no longer exists is not replayed."""
        site.unlink()
        with pytest.raises(BadInput, match="no longer exists"):
            replay.look_up(run, 2, "")


@pytest.mark.parametrize(("django", "refused"), [("5.2.19", False), ("5.2.20", True), (None, False)])
def test_changed_runtime(run, django, refused):
    """A trial is not replayed on another Django; versions that were not written down do not matter."""
    target = dataclasses.replace(replay.look_up(run, 2, ""), versions={"django": "5.2.19", "python": "3.11.7"})
    now = {"python": "3.11.7"} | ({"django": django} if django else {})
    if refused:
        with pytest.raises(BadInput, match=r"django was 5\.2\.19 and is 5\.2\.20; run the scenario again"):
            replay.check_runtime(target, now)
    else:
        replay.check_runtime(target, now)


def test_attempted(run):
    """Only trials that were bad in that way count."""
    stored = StoredCase(run / "cases" / "books.jsonl")
    failed = replay.attempted(stored, "failed-request")
    assert (1, 2, None) == (failed.failed, failed.trials, failed.followed)
    assert 0 == replay.attempted(stored, "hang").failed


class TestMinimise:
    def least(self, fails, case, limit=20):
        cases = []

        def attempt(smaller):
            cases.append(smaller)
            return replay.Attempt(smaller, int(fails(smaller)), 1)

        best = replay.minimise(replay.Attempt(case, 1, 1), attempt, limit)
        return best.case, len(cases)

    def test_least(self):
        """It ends at a case of which every smaller one is sound."""
        case, _ = self.least(lambda smaller: smaller.users >= 4 and smaller.threads >= 3, make_case(users=15))

        assert 7 == case.users
        assert 3 == case.threads
        assert 1 == len(case.requests)

    def test_nothing_smaller(self):
        """What fails as it is only stays as it is."""
        case = make_case(users=15)
        assert case == self.least(lambda _: False, case)[0]

    def test_limit(self):
        """The number of attempts is bounded."""
        assert 3 == self.least(lambda _: True, make_case(users=200), limit=3)[1]
