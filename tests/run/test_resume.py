"""A run that was interrupted goes on where it stopped: on made-up servers, what is on disk before and after."""

import json
import os

import pytest
from build import PAGE, make_case, make_expectation
from fakes import FakeBackend, FakeLocust

from harness.errors import BadInput
from harness.run.resume import cases_to_resume, check_same_runtimes, interrupted_run, versions_by
from harness.run.session import Session, SilentWatcher
from harness.store.plan import Settings, locked
from harness.store.regrade import regrade
from harness.store.stored_case import StoredCase

FAILED = {"status": 500}


class Interruptible:
    """A run of two trials at a time that a kill ends, and what is left of it."""

    def __init__(self, path, monkeypatch):
        self.site = path / "site"
        self.site.mkdir()
        (self.site / "default.wsgi").write_text("application = None\n")
        (self.site / "settings.py").write_text("DEBUG = True\n")
        self.results = path / "results"
        self.locust = FakeLocust().takes_over(monkeypatch)
        self.backend = FakeBackend(self.locust)

    def case(self, name="books", **changes):
        fields = {"trials": 6, "script_path": self.site / "default.wsgi", "site_dir": self.site, "full": True}
        return make_case(**{"id": f"{name}::daemon::default::natural"} | fields | changes)

    def start(self, *cases, until=None, settings=Settings(command="run"), **options):  # noqa: B008
        """Run cases; the request named `until` ends the run as Ctrl-C does."""

        def answer(name, normal=self.locust.answer):
            if name == until:
                raise KeyboardInterrupt
            return normal(name)

        normal, self.locust.answer = self.locust.answer, answer
        try:
            with Session(self.results, 1, settings=settings) as session:
                return session.run_all(cases, self.backend, SilentWatcher(), **options), session.directory
        finally:
            self.locust.answer = normal

    def kill(self, directory, *, torn=b'{"type":"trial","numb'):
        """As if the process had been killed before it could write its result, in the middle of a line."""
        (directory / "result.json").unlink()
        for path in sorted((directory / "cases").iterdir())[-1:]:
            path.write_bytes(path.read_bytes() + torn)

    def resume(self, directory, until=None):
        run = interrupted_run(directory)
        cases = cases_to_resume(run, {}, {})

        def answer(name, normal=self.locust.answer):
            if name == until:
                raise KeyboardInterrupt
            return normal(name)

        normal, self.locust.answer = self.locust.answer, answer
        try:
            with Session(self.results, 1, settings=run.plan.settings, resumed=run) as session:
                check_same_runtimes(run, cases, versions_by(self.backend, 1))
                self.backend.hosts.clear()
                return session.run_all(cases, self.backend, SilentWatcher())
        finally:
            self.locust.answer = normal


@pytest.fixture
def run(tmp_path, monkeypatch):
    return Interruptible(tmp_path, monkeypatch)


def trials_of(directory):
    (path,) = (directory / "cases").iterdir()
    return [(trial.part, trial.number) for trial in StoredCase(path).trials()]


def counts(result):
    """Of each case what does not depend on when it was run."""
    return [
        (case.case, case.seed, case.trials, case.effective_trials, case.outcomes, case.verdict, case.met)
        for case in result.cases
    ]


def test_goes_on(run):
    """A killed run ends with the trials, seeds and counts of an undisturbed one; regraded it is the same."""
    undisturbed, _ = run.start(run.case())
    _, directory = run.start(run.case(), until="4.0")
    run.kill(directory)
    assert "interrupted" == regrade(directory).status

    result = run.resume(directory)
    assert counts(undisturbed) == counts(result) == counts(regrade(directory))
    assert ("complete", directory.name) == (result.status, result.run)
    assert [(1, 1), (1, 2), (1, 3), (2, 4), (2, 5), (2, 6)] == trials_of(directory)
    (stored,) = map(StoredCase, (directory / "cases").iterdir())
    assert [2, 2] == [len(part.controls) for part in stored.parts]


def test_only_what_is_missing(run):
    """Trials are missing where they were under way, not only at the end: each is made once."""
    _, directory = run.start(run.case(), until="5.0")
    run.kill(directory)
    (path,) = (directory / "cases").iterdir()
    lines = path.read_bytes().splitlines(keepends=True)
    kept = [line for line in lines if json.loads(line if line.endswith(b"\n") else b"{}").get("number") != 3]
    path.write_bytes(b"".join(kept))  # the third was under way in another thread
    run.resume(directory)
    assert [(1, 1), (1, 2), (1, 4), (2, 3), (2, 5), (2, 6)] == trials_of(directory)


def test_complete_case(run):
    """A case that came to its end is not run again, and keeps its place in the result."""
    both = [run.case("books"), run.case("films")]
    _, directory = run.start(*both, until=None)
    (directory / "result.json").unlink()
    (directory / "cases" / "films.daemon.default.natural.jsonl").unlink()
    result = run.resume(directory)
    assert [case.id for case in both] == [case.case for case in result.cases]
    assert [6, 6] == [case.trials for case in result.cases]
    assert ["films::daemon::default::natural"] == [host.case.id for host in run.backend.hosts]


def test_empty_history(run):
    """A history whose first line was cut short is begun anew."""
    _, directory = run.start(run.case(), until="4.0")
    (path,) = (directory / "cases").iterdir()
    path.write_bytes(b'{"type":"case","ca')
    assert 6 == run.resume(directory).cases[0].trials
    assert [(1, number) for number in range(1, 7)] == trials_of(directory)


def test_again_and_again(run):
    """A resumed run that is interrupted can be resumed; interrupted in its controls it has gained nothing."""
    _, directory = run.start(run.case(), until="2.0")
    assert "interrupted" == run.resume(directory, until="c1.0").status
    assert ("interrupted", 3) == ((result := run.resume(directory, until="4.0")).status, result.cases[0].trials)
    assert counts(result) == counts(regrade(directory))
    assert 6 == run.resume(directory).cases[0].trials
    plan = json.loads((directory / "run.json").read_text())
    assert 3 == len(plan["resumed"])


class TestYardstick:
    """Each trial is judged by the controls of its own part."""

    def test_other_page(self, run):
        """A page that changed while the run lay still is right before and after."""
        _, directory = run.start(run.case(), until="4.0")
        run.locust.answer = lambda name: {"body": f"{PAGE}<p>another day</p>"}
        result = run.resume(directory)
        assert [("clean", 6)] == [(case.verdict, case.trials) for case in result.cases]
        assert counts(result) == counts(regrade(directory))

    def test_old_page(self, run):
        """The twin: after the change the old page is wrong, though it was right in the first part."""
        _, directory = run.start(run.case(), until="4.0")
        run.locust.answer = lambda name: {"body": f"{PAGE}<p>another day</p>"} if name != "5.1" else {}
        result = run.resume(directory)
        assert [("race", 1, 5)] == [(case.verdict, case.bad_trials, case.first_bad_trial) for case in result.cases]
        assert counts(result) == counts(regrade(directory))
        (case,), (again,) = result.cases, regrade(directory).cases
        assert case.first_bad_s == again.first_bad_s

    def test_broken_now(self, run):
        """Controls that fail only when the run is resumed prove nothing of the site: something else has changed."""
        _, directory = run.start(run.case(), until="4.0")
        run.locust.answer = lambda name: FAILED
        result = run.resume(directory)
        assert [("inconclusive", 3)] == [(case.verdict, case.trials) for case in result.cases]
        assert "when the run was resumed" in result.cases[0].reason
        assert counts(result) == counts(regrade(directory))

    def test_race_stays(self, run):
        """A race of the first part is a race whatever comes later."""
        run.locust.answer = lambda name: FAILED if name == "2.1" else {}
        _, directory = run.start(run.case(), until="4.0")
        result = run.resume(directory)
        assert [("race", 6, 1)] == [(case.verdict, case.trials, case.bad_trials) for case in result.cases]


def test_settled(run):
    """A race that is expected and was seen often enough needs no further trial, and no control."""
    run.locust.answer = lambda name: FAILED if name.endswith(".1") and name[0] != "c" else {}
    case = run.case(
        trials=40, full=False, expectation=make_expectation("race", {"ok": "expected", "error": "expected"})
    )
    _, directory = run.start(case)
    run.kill(directory)
    result = run.resume(directory)
    assert [("race", 10, True, False)] == [(case.verdict, case.trials, case.met, case.stopped) for case in result.cases]
    assert [] == run.backend.hosts


class TestRefused:
    """One sentence, before anything is run."""

    def test_complete(self, run):
        _, directory = run.start(run.case())
        with pytest.raises(BadInput, match=rf"run {directory.name} is complete: `harness report"):
            run.resume(directory)

    def test_under_way(self, run):
        _, directory = run.start(run.case(), until="4.0")
        with locked(directory), pytest.raises(BadInput, match="still under way"):
            run.resume(directory)

    def test_changed_site(self, run):
        """The sentence names the files."""
        _, directory = run.start(run.case(), until="4.0")
        (run.site / "settings.py").write_text("DEBUG = False\n")
        (run.site / "views.py").write_text("")
        with pytest.raises(BadInput, match=r"changed since run .* was begun: .*settings\.py, .*views\.py \(new\)"):
            run.resume(directory)

    def test_unchanged_site(self, run):
        """The twin: what the site itself writes is no change."""
        _, directory = run.start(run.case(), until="4.0")
        (run.site / "db.sqlite3").write_text("rows")
        (run.site / "__pycache__").mkdir()
        (run.site / "__pycache__" / "settings.py").write_text("")
        assert "complete" == run.resume(directory).status

    def test_script_gone(self, run):
        _, directory = run.start(run.case(), until="4.0")
        (run.site / "default.wsgi").unlink()
        with pytest.raises(BadInput, match="no longer exists"):
            run.resume(directory)

    def test_other_runtime(self, run, monkeypatch):
        """The sentence says what it was and what it is."""
        _, directory = run.start(run.case(), until="4.0")
        host = run.backend.host

        def newer(*arguments, **options):
            made = host(*arguments, **options)
            made.versions["python"] = "3.99"
            return made

        monkeypatch.setattr(run.backend, "host", newer)
        with pytest.raises(BadInput, match=r"python was 3\.11\.7 and is 3\.99"):
            run.resume(directory)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"version": 1}, "was begun by harness"),
            ({"environment": {"harness": "0.1.0"}}, r"was begun by harness 0\.1\.0"),
            ({"settings": {"command": "pytest"}}, "was made by pytest"),
            ({"settings": {"command": "other"}}, "cannot be resumed"),
            (
                {"cases": [{"case": "x", "seed": 1, "trials": 1, "fields": {"id": "x"}}]},
                "another version of the harness",
            ),
            ({"cases": 7}, "not the plan of a run"),
        ],
    )
    def test_other_plan(self, run, change, message):
        _, directory = run.start(run.case(), until="4.0")
        plan = json.loads((directory / "run.json").read_text())
        (directory / "run.json").write_text(json.dumps(plan | change))
        with pytest.raises(BadInput, match=message):
            run.resume(directory)

    def test_no_plan(self, run):
        _, directory = run.start(run.case(), until="4.0")
        (directory / "run.json").unlink()
        with pytest.raises(BadInput, match=r"run\.json: .*cannot be read"):
            run.resume(directory)

    def test_damaged_history(self, run):
        _, directory = run.start(run.case(), until="4.0")
        (path,) = (directory / "cases").iterdir()
        path.write_bytes(path.read_bytes() + b"no\n")
        with pytest.raises(BadInput, match="not a line of a history"):
            run.resume(directory)


def test_secret(run):
    """What was not stored has to be given again, under its name, and nothing else may be: the run goes on as it was."""
    case = run.case(environment={"API_TOKEN": "s3cret-value", "MODE": "fast"})
    _, directory = run.start(case, until="4.0")
    assert b"s3cret-value" not in (directory / "run.json").read_bytes()
    stopped = interrupted_run(directory)
    with pytest.raises(BadInput, match="API_TOKEN"):
        cases_to_resume(stopped, {}, {})
    with pytest.raises(BadInput, match="MODE: nothing of that name was left out"):
        cases_to_resume(stopped, {"API_TOKEN": "s3cret-value", "MODE": "slow"}, {})
    assert [case] == cases_to_resume(stopped, {"API_TOKEN": "s3cret-value"}, {})


def test_lock_ends_with_its_process(run):
    """A process that was killed holds nothing: a child that dies in the middle leaves the run free."""
    _, directory = run.start(run.case(), until="4.0")
    child = os.fork()
    if child == 0:
        with locked(directory):
            os._exit(9)
    os.waitpid(child, 0)
    assert "complete" == run.resume(directory).status
