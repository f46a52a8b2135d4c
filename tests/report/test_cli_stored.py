"""`harness report`, `runs` and `compare`, as a user meets them: from stored runs alone."""

import io
import json

import pytest
from build import CONTROLS, make_case, make_expectation, make_failing_trial, make_trial, store_run
from click.testing import CliRunner
from rich.console import Console

from harness.bench.journal import read_bench
from harness.cli import main
from harness.cli.output import keep_page
from harness.store.regrade import regrade

RUN, OTHER, BENCH = "20260101-000000-aaaa", "20260102-000000-bbbb", "20260103-000000-cccc"
FAILING, FINE = "books::daemon::failing::natural", "books::daemon::fine::natural"
A_BENCH = {
    "schema_version": 1, "run": BENCH, "status": "complete", "command": "harness bench x", "environment": {"cores": 2},
    "backend": "local", "rate": 50.0, "workers": 0, "seed": 1, "during_s": 3.0, "cells": [],
}  # fmt: skip


@pytest.fixture
def results(tmp_path):
    """A run with a case that fails and one that does not, the same run mended, and a bench run."""
    expected = make_expectation("clean")
    fine = (make_case(id=FINE, expectation=expected), *CONTROLS, *(make_trial(number=n) for n in range(1, 13)))
    failing = make_case(id=FAILING, expectation=expected)
    trials = [make_failing_trial(n) for n in range(1, 13)]
    store_run(tmp_path, (failing, *CONTROLS, *trials), fine, name=RUN)
    store_run(tmp_path, (failing, *fine[1:]), fine, name=OTHER)
    (tmp_path / BENCH).mkdir()
    (tmp_path / BENCH / "bench.json").write_text(json.dumps(A_BENCH))
    return tmp_path


@pytest.fixture
def harness(results):
    def harness(*arguments):
        done = CliRunner().invoke(main, [*map(str, arguments), "--results", str(results)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done

    return harness


def refused(done, *fragments):
    """One sentence, exit code 2."""
    assert 2 == done.exit_code, done.output
    assert "Traceback" not in done.output
    for fragment in fragments:
        assert fragment in done.output


class TestReport:
    def test_console(self, harness):
        """Without a format it prints the table and the stories; the exit code is the run's."""
        done = harness("report", RUN)
        assert 1 == done.exit_code
        assert "GET / got status 500 instead of 200" in done.output
        assert 0 == harness("report", OTHER).exit_code

    def test_html(self, harness, results):
        """The page lands in the run's directory, and its path is told."""
        done = harness("report", RUN, "--format", "html")
        assert str(results / RUN / "report.html") == done.output.strip()
        assert "not as expected" in (results / RUN / "report.html").read_text()

    def test_html_of_one_case(self, harness, results):
        """A page of some cases does not take the place of the run's."""
        path = harness("report", RUN, "--format", "html", "--case", "failing").output.strip()
        assert path.endswith("report.books.daemon.failing.natural.html")
        assert "daemon.fine" not in (results / path).read_text()

    def test_html_of_one_trial(self, harness, results):
        """A page can show any trial of a case, bad or not."""
        path = harness("report", RUN, "--format", "html", "--case", FINE, "--trial", 7).output.strip()
        assert path.endswith("report.books.daemon.fine.natural.trial-7.html")
        assert "Trial 7" in (results / path).read_text()

    def test_json(self, harness, results):
        """JSON goes to standard output, or to a file; --json writes it beside another format."""
        result = json.loads(harness("report", RUN, "--format", "json").output)
        assert [FAILING, FINE] == [case["case"] for case in result["cases"]]
        harness("report", RUN, "--format", "json", "--output", results / "a.json")
        harness("report", RUN, "--format", "markdown", "--output", results / "a.md", "--json", results / "b.json")
        assert result == json.loads((results / "a.json").read_text()) == json.loads((results / "b.json").read_text())

    def test_markdown(self, harness):
        """Markdown goes to standard output."""
        assert harness("report", RUN, "--format", "markdown").output.startswith("## ")

    def test_a_trace(self, harness, results):
        """A trace is of the trial that was bad first, or of the one that is named; its exit code is 0."""
        done = harness("report", RUN, "--format", "perfetto", "--case", "failing")
        assert 0 == done.exit_code
        assert done.output.strip().endswith("books.daemon.failing.natural.trial-1.perfetto.json")
        named = harness("report", RUN, "--format", "perfetto", "--case", FINE, "--trial", 7, "--output", "-")
        assert 7 == json.loads(named.output)["otherData"]["trial"]

    @pytest.mark.parametrize(
        ("arguments", "fragments"),
        [
            (("nothing",), ("no stored run 'nothing'", f"the latest is {BENCH}")),
            ((RUN, "--format", "perfetto"), ("choose with --case", FAILING)),
            ((RUN, "--case", "failng"), ("matches none", FAILING)),
            ((RUN, "--format", "perfetto", "--case", "fine", "--trial", "99"), ("no trial 99",)),
            ((RUN, "--trial", "1"), ("--format html or perfetto",)),
            ((RUN, "--trial", "1", "--format", "html"), ("choose with --case",)),
            ((RUN, "--output", "x"), ("choose a --format",)),
            ((RUN, "--format", "html", "--output", "/nowhere/x.html"), ("/nowhere/x.html", "cannot be written")),
            ((BENCH, "--format", "perfetto"), ("bench run",)),
        ],
    )
    def test_mistakes(self, harness, arguments, fragments):
        """Bad input is one sentence that says what would be right."""
        refused(harness("report", *arguments), *fragments)

    @pytest.mark.parametrize("form", ["console", "html", "json", "markdown"])
    def test_a_bench_run(self, harness, form):
        """A bench run is reported in the same forms."""
        assert 0 == harness("report", BENCH, "--format", form).exit_code


class TestRuns:
    def test_all(self, harness):
        """All runs are listed, the newest first."""
        output = harness("runs").output
        assert 0 < output.index(BENCH) < output.index(OTHER) < output.index(RUN)

    def test_none(self, tmp_path):
        """Where there is none, it says what makes one."""
        refused(CliRunner().invoke(main, ["runs", "--results", str(tmp_path)]), "no stored run", "harness run")


class TestCompare:
    def test_worse(self, harness):
        """A case that got worse is exit code 1, and named with its numbers."""
        done = harness("compare", OTHER, RUN)
        assert 1 == done.exit_code
        assert f"{FAILING}: worse" in done.output
        assert "then in 12 of 12" in done.output
        assert "no longer as its scenario expects" in done.output

    def test_better_or_the_same(self, harness):
        """Better, or the same, is exit code 0."""
        assert [0, 0] == [harness("compare", RUN, OTHER).exit_code, harness("compare", RUN, RUN).exit_code]

    def test_a_bench_run(self, harness):
        """What restarts cost is the gate's business."""
        refused(harness("compare", RUN, BENCH), "bench run", "harness gate")

    def test_nothing_in_common(self, harness, results):
        """Runs of other cases cannot be compared."""
        store_run(results, (make_case(id="other::daemon::x::natural"), *CONTROLS), name="20260104-000000-dddd")
        refused(harness("compare", RUN, "20260104-000000-dddd"), "no case in common")


class TestKeeping:
    def kept(self, directory, result):
        stream = io.StringIO()
        keep_page(Console(file=stream, width=80), directory, result)
        return stream.getvalue()

    def test_where_it_is(self, results):
        """At the end of a run its page is written, and the last line says where it is."""
        line = self.kept(results / RUN, regrade(results / RUN))
        assert f"Results: {results / RUN}. Report: {results / RUN / 'report.html'}\n" == line

    def test_a_bench_run(self, results):
        """A bench run has its page too."""
        self.kept(results / BENCH, read_bench(results / BENCH))
        assert (results / BENCH / "report.html").is_file()

    def test_never_fails_the_run(self, results):
        """A page that cannot be made is no error: a line says so."""
        (results / RUN / ".report.html.part").mkdir()
        assert "could not be made" in self.kept(results / RUN, regrade(results / RUN))
