"""`harness baseline` and `harness gate` on a real Apache, and the gate under pytest."""

import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]

SCENARIO = """
title = "a site whose script is changed"
site = "small"
scripts = ["main"]
runtime = "django52"
modes = ["daemon"]

[load]
users = 6

[thresholds]
bad_trials = 0

[[expect]]
verdict = ["hazard", "clean", "race"]
outcomes.ok = { grade = "expected", why = "it answers" }
outcomes.duplicate-init = { grade = "acceptable", why = "not what is tested here" }
"""
# Answers take long enough for requests to meet in the process, on a busy machine too.
EAGER = """
import time
import wsgiref.validate

def application(environ, start_response):
    time.sleep(0.05)
    start_response("200 OK", [])
    return [b"x"]
"""
# The same step, moved into the request.
LAZY = """
import time

def application(environ, start_response):
    import wsgiref.validate
    time.sleep(0.05)
    start_response("200 OK", [])
    return [b"x"]
"""
SLOWER = "import time\nend = time.process_time() + 0.15\nwhile time.process_time() < end:\n    pass\n" + EAGER


@pytest.fixture
def project(open_tmp_path, command):
    """A scenario of one small script, and the gate's commands on it."""

    class Project:
        directory = open_tmp_path
        script = open_tmp_path / "sites" / "small" / "scripts" / "main.wsgi"
        results = open_tmp_path / "results"
        scenario = open_tmp_path / "scenarios" / "small.toml"

        def run(self, what, *arguments):
            places = ("--sites", self.directory / "sites", "--results", self.results, "--backend", "local")
            few = ("--trials", 12, "--cold-starts", 6)
            return command(what, self.scenario, *places, *few, *arguments)

    for path in (Project.script, Project.scenario):
        path.parent.mkdir(parents=True)
    Project.script.write_text(EAGER)
    Project.scenario.write_text(SCENARIO)
    return Project()


def test_moved_step_fails_the_gate(project):
    """The same again passes; a step moved into the request fails, and is named with how often and since which baseline
    in the terminal, in the summary, and under pytest, whose JUnit file has it as a property."""
    assert 0 == project.run("baseline").returncode
    summary = project.directory / "summary.md"
    again = project.run("gate", "--summary", summary)
    assert 0 == again.returncode, again.stdout + again.stderr
    assert "gate: not worse" in again.stdout
    assert "✅" in summary.read_text()

    project.script.write_text(LAZY)
    worse = project.run("gate", "--summary", summary)
    assert 1 == worse.returncode, worse.stdout + worse.stderr
    sentence = next(line for line in worse.stdout.splitlines() if "'import wsgiref.validate'" in line)
    # In every trial that was cold, and in none before.
    assert re.match(
        r"worse: small::daemon::main::natural: .* in (\d+) of \1 \(before: 0 of \d+\), since baseline small of",
        sentence,
    )
    assert "❌" in summary.read_text()

    stored = sorted(each.name for each in project.results.iterdir() if each.name != "baselines")[-1]
    assert 1 == project.run("gate", "--run", stored).returncode

    junit = project.directory / "junit.xml"
    done = run_pytest(project, "--harness-gate", "--harness-results", project.results, f"--junitxml={junit}")
    assert 1 == done.returncode, done.stdout + done.stderr
    assert "'import wsgiref.validate' runs inside requests" in done.stdout
    properties = {each.get("name"): each.get("value") for each in ET.parse(junit).iter("property")}
    assert properties["harness_gate"].startswith("gate: worse")
    assert "wsgiref.validate" in properties["harness_gate_worse"]


def run_pytest(project, *more):
    """pytest on the project, as a user would."""
    options = (
        "-p",
        "no:cacheprovider",
        project.scenario,
        "--harness-backend",
        "local",
        "--harness-trials",
        "12",
        *more,
    )
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *options],
        cwd=project.directory,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_slower_start_fails_the_gate(project):
    """A start that costs 0.15 s more CPU time than the old script's fails; the old script against itself passes."""
    old = project.directory / "old.wsgi"
    shutil.copy(project.script, old)
    same = project.run("gate", "--against", old, "--pairs", 12)
    assert 0 == same.returncode, same.stdout + same.stderr
    project.script.write_text(SLOWER)
    slower = project.run("gate", "--against", old, "--pairs", 12)
    assert 1 == slower.returncode, slower.stdout + slower.stderr
    assert "the CPU time of a cold start is +" in slower.stdout
    assert f"compared with {old}" in slower.stdout


def test_the_bootstrap_is_gated(command, open_tmp_path):
    """Today's bootstrap is not worse than the baseline that this project keeps of it; a script in its place that leaves
    work to the requests is, and the sentence says which."""
    sites, results = open_tmp_path / "sites", open_tmp_path / "results"
    shutil.copytree(ROOT / "sites" / "mysite", sites / "mysite", symlinks=False)
    shutil.copytree(ROOT / "results" / "baselines", results / "baselines")
    gate = ("gate", "bootstrap-mysite", "--case", "daemon", "--trials", 12, "--cold-starts", 6, "--backend", "local")
    places = ("--sites", sites, "--results", results)
    same = command(*gate, *places)
    assert 0 == same.returncode, same.stdout + same.stderr

    scripts = sites / "mysite" / "scripts"
    shutil.copy(scripts / "default.wsgi", scripts / "bootstrap.wsgi")
    worse = command(*gate, *places)
    assert 1 == worse.returncode, worse.stdout + worse.stderr
    assert re.search(
        r"worse: bootstrap-mysite::daemon::.* runs inside requests in (\d+) of \1 \(before: 0 of \d+\), since baseline",
        worse.stdout,
    )
