"""A pytest session that ends early leaves runs that say so, whatever ended it."""

import json
import signal
import tempfile
import textwrap
import time
from pathlib import Path

import pytest
from launch import ROOT, launch

pytestmark = [pytest.mark.faults, pytest.mark.e2e]
SCRIPT = ROOT / "tests" / "e2e" / "scripts" / "check_then_act.wsgi"
SCENARIO = """
title = "a test"
site = "tiny"
scripts = ["table"]
modes = ["daemon"]
runtime = "django52"
trials = {trials}

[[expect]]
verdict = ["race", "clean", "hazard"]
outcomes.ok = {{ grade = "expected", why = "somebody is answered" }}
outcomes.error = {{ grade = "acceptable", why = "the half-built table" }}
"""


class Project:
    """A user's project with two scenarios, `a` and `b`, of one case each."""

    def __init__(self, path):
        self.path = path
        scripts = path / "sites" / "tiny" / "scripts"
        scripts.mkdir(parents=True)
        (scripts / "table.wsgi").write_text(SCRIPT.read_text())
        (path / "scenarios").mkdir()
        self.scenario("a", 4)
        self.scenario("b", 4)
        (path / "pytest.ini").write_text("[pytest]\npython_files = *_test.py\n")

    def scenario(self, name, trials):
        (self.path / "scenarios" / f"{name}.toml").write_text(SCENARIO.format(trials=trials))

    def start(self, *arguments):
        local = ("--harness-backend", "local", "-p", "no:cacheprovider")
        return launch("pytest", *local, *arguments, directory=self.path)

    def run(self, *arguments):
        process = self.start(*arguments)
        return process, process.communicate(timeout=200)[0]

    def test(self, name, text):
        (self.path / name).write_text(textwrap.dedent(text))

    def statuses(self):
        return sorted(result["status"] for result in self.results())

    def results(self):
        return [json.loads(path.read_text()) for path in self.path.glob("results/*/result.json")]


@pytest.fixture
def project():
    with tempfile.TemporaryDirectory(prefix="open-") as directory:  # the server's user cannot enter pytest's own
        Path(directory).chmod(0o755)
        yield Project(Path(directory))


@pytest.mark.parametrize("workers", [(), ("-n", "2", "--dist", "loadfile")], ids=["alone", "xdist"])
def test_complete(project, workers):
    """The twin: where every case came to its end, every run is complete, a worker's too."""
    process, out = project.run("scenarios", *workers)
    assert 0 == process.returncode, out
    assert {"complete"} == set(project.statuses())


@pytest.mark.parametrize(
    "first",
    ["assert False", "raise KeyboardInterrupt", "import pytest\n    pytest.exit('enough')"],
    ids=["-x", "KeyboardInterrupt", "exit"],
)
def test_other_test(project, first):
    """Whatever a test between two cases does to the session, a run without its last case is not complete."""
    project.test("a_test.py", f"def test_first():\n    {first}\n")
    process, out = project.run("-x", "scenarios/a.toml", "a_test.py", "scenarios/b.toml")
    assert 0 != process.returncode
    assert ["interrupted"] == project.statuses(), out
    assert "1 of 2 tests with cold starts came to their end" in out


def test_worker_that_died(project):
    """Nor is the run of one worker when another one died, for the session as a whole lacks a case."""
    project.test(
        "b_test.py",
        """
        def test_case(harness_cold_start):
            import os
            os._exit(9)
        """,
    )
    process, out = project.run("-n", "2", "--dist", "load", "scenarios/a.toml", "b_test.py")
    assert 0 != process.returncode
    assert ["interrupted"] == project.statuses(), out


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda number: number.name)
def test_signal(project, number):
    """A case that a signal stopped says after how many of its trials, and is not met by too few of them."""
    project.scenario("a", 400)
    process = project.start("scenarios")
    deadline = time.monotonic() + 100
    while sum(path.read_bytes().count(b'"type":"trial"') for path in project.path.glob("results/*/cases/*")) < 2:
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.1)
    process.send_signal(number)
    out, _ = process.communicate(timeout=100)
    assert 2 == process.returncode, out
    (result,) = project.results()
    (case,) = result["cases"]
    assert ("interrupted", True, 400) == (result["status"], case["stopped"], case["planned_trials"])
    assert case["reason"].startswith(f"stopped after {case['trials']} of 400 trials")
    assert case["verdict"] == "race" or not case["met"] or case["effective_trials"] >= 10
