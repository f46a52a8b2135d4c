"""The pytest plugin in a project of a user's own."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from harness.records import Trial
from harness.store.history import read

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]

SCENARIO = """
title = "a test"
site = "tiny"
scripts = ["table"]
runtime = "{runtime}"
trials = 12
{more}

[[expect]]
verdict = "{verdict}"
outcomes.ok = {{ grade = "expected", why = "somebody is answered" }}
outcomes.error = {{ grade = "acceptable", why = "the half-built table" }}
"""
BOTH = 'modes = ["daemon"]\nschedules = ["natural", "perturbed"]'


class Project:
    """A user's project with one site and one scenario; built runtimes are shared with this one."""

    def __init__(self, path):
        self.path = path
        scripts = path / "sites" / "tiny" / "scripts"
        scripts.mkdir(parents=True)
        (scripts / "table.wsgi").write_text((Path(__file__).parent / "scripts" / "check_then_act.wsgi").read_text())
        (path / "scenarios").mkdir()
        (path / "pytest.ini").write_text("[pytest]\n")
        self.scenario()

    def scenario(self, verdict="race", runtime="django52", more=""):
        text = SCENARIO.format(verdict=verdict, runtime=runtime, more=more)
        (self.path / "scenarios" / "tiny.toml").write_text(text)

    def test(self, text):
        (self.path / "test_mine.py").write_text("import pytest\n\n\n" + textwrap.dedent(text))

    def run(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-rs", *map(str, arguments)],
            cwd=self.path,
            env={"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        return pytest.RunResult(done.returncode, done.stdout.splitlines(), done.stderr.splitlines(), 0.0)


@pytest.fixture
def project(open_tmp_path):
    return Project(open_tmp_path)


def test_each_case_is_an_item(project):
    """A case is an item file::mode::script::schedule; an unmet expectation fails with the story, not a traceback."""
    project.scenario(verdict="clean")
    result = project.run("scenarios", "-k", "daemon")
    result.assert_outcomes(failed=1, deselected=1)
    result.stdout.fnmatch_lines(
        [
            "*daemon::table::natural*",
            "*error: GET / got status 500 instead of 200: KeyError*",
            "*NOT MET: expected clean*",
            "Report: *report.html",
        ]
    )
    result.stdout.no_fnmatch_line("*pytest_plugin.py*")


def test_scenarios_of_several_directories(project):
    """Globs say where scenarios lie; the sites of one that lies deeper are found above it."""
    (project.path / "pytest.ini").write_text("[pytest]\nharness_scenarios = scenarios/*.toml scenarios/deep/*.toml\n")
    (project.path / "scenarios" / "deep").mkdir()
    (project.path / "scenarios" / "tiny.toml").rename(project.path / "scenarios" / "deep" / "tiny.toml")
    project.run("scenarios", "-k", "daemon").assert_outcomes(passed=1, deselected=1)


def test_xdist_workers_have_own_servers(project):
    """Two xdist workers run their cases at once; the summary shows both, and where the page of each is."""
    result = project.run("scenarios", "-n", "2")
    result.assert_outcomes(passed=2)
    pages = [Path(line.partition(": ")[2]) for line in result.outlines if line.startswith("Report: ")]
    assert [True, True] == [page.is_file() for page in pages]
    result.stdout.fnmatch_lines(["*cold starts*", "*tiny*daemon*", "*tiny*embedded*"])


def test_alternating_cases_run_once(project):
    """Natural and perturbed are two items of one run: their trials alternate, the second has its result already."""
    project.scenario(more=BOTH)
    project.run("scenarios").assert_outcomes(passed=2)
    histories = [list(read(path)) for path in (project.path / "results").glob("*/cases/*.jsonl")]
    spans = [[each.begin for each in history if isinstance(each, Trial)] for history in histories]
    assert 2 == len(spans)
    assert max(map(min, spans)) < min(map(max, spans))
    project.run("scenarios", "-k", "natural").assert_outcomes(passed=1, deselected=1)
    assert 3 == len(list((project.path / "results").glob("*/cases/*.jsonl")))


def test_workers_run_each_case_once(project):
    """Where xdist deals single items, each worker runs its own case only: it cannot know what the other one has."""
    project.scenario(more=BOTH)
    project.run("scenarios", "-n", "2", "--dist", "load").assert_outcomes(passed=2)
    assert 2 == len(list((project.path / "results").glob("*/cases/*.jsonl")))


def test_missing_runtime_is_skipped(project, tmp_path):
    """An interpreter that is not here is a skip that says how to get it."""
    runtimes = tmp_path / "mine.toml"
    runtimes.write_text('[runtimes.future]\npython = "3.99"\ndjango = "django"\n')
    project.scenario(runtime="future")
    result = project.run("scenarios", "--harness-runtimes", runtimes)
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*Python 3.99 is not on this machine*uv python install 3.99*"])


def test_mistake_is_a_collection_error(project):
    """A mistake in a scenario is a collection error, with the same sentence that the command prints."""
    project.scenario(verdict="klean")
    result = project.run("scenarios")
    assert 2 == result.ret
    result.stdout.fnmatch_lines(["*'klean' is not allowed; did you mean 'clean'?*"])


def test_marker_options_are_defaults(project, python):
    """In a user's own test the marker's options are the fixture's defaults; those of the call win."""
    project.test(
        f"""
        @pytest.mark.harness(trials=9, mode="embedded", python={str(python)!r})
        def test_mine(harness_cold_start):
            result = harness_cold_start("sites/tiny/scripts/table.wsgi", trials=3)
            assert (3, "embedded") == (result.trials, result.hosting.mode)
        """
    )
    project.run("test_mine.py").assert_outcomes(passed=1)


def test_a_misspelt_marker_option_is_named(project, python):
    """An option that does not exist gets the nearest one that does."""
    project.test(
        """
        @pytest.mark.harness(trails=9)
        def test_mine(harness_cold_start):
            harness_cold_start("sites/tiny/scripts/table.wsgi")
        """
    )
    result = project.run("test_mine.py")
    result.stdout.fnmatch_lines(["*unknown option 'trails'; did you mean 'trials'?*"])
