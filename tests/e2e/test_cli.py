"""The harness command as a user meets it: bad input, interruption, stored runs."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jsonschema
import psutil
import pytest

from harness.errors import InfrastructureError
from harness.hosting import httpd
from harness.records import Trial
from harness.store.history import read

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"

SCENARIO = """
title = "a test"
site = "mysite"
scripts = ["default"]
runtime = "django52"

[[expect]]
verdict = ["hazard", "clean"]
outcomes.ok = { grade = "expected", why = "it is the default script" }
"""

LAZY = """
def application(environ, start_response):
    sum(number * number for number in range(800000))  # until others have come
    import wsgiref.validate
    start_response("200 OK", [])
    return [b"x"]
"""


def refused(done, *fragments, code=2):
    """One clear sentence, the right exit code, no traceback."""
    assert code == done.returncode, done.stderr
    assert "Traceback" not in done.stderr
    # What it had to build first may stand before it.
    assert any(line.startswith(("harness: ", "Usage: ")) for line in done.stderr.splitlines())
    for fragment in fragments:
        assert fragment in done.stderr


def write(path, text):
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "fragments"),
    [
        ('site = "mysite"', 'site = "mysit"', ("site", "did you mean 'mysite'?")),
        ('scripts = ["default"]', 'scripts = ["defalt"]', ("scripts", "did you mean 'default'?")),
        ('"django52"', '"django25"', ("runtime", "did you mean 'django52'?")),
        ("title =", "titel =", ("titel", "unknown key", "did you mean 'title'?")),
        ('title = "a test"', 'title = "a test', ("not valid TOML", "line 2")),
    ],
)
def test_scenario_mistake_is_named(command, tmp_path, old, new, fragments):
    """A wrong site, script, runtime or key, or broken TOML, is named with the nearest right spelling."""
    path = write(tmp_path / "mine.toml", SCENARIO.replace(old, new))
    refused(command("run", path), *fragments)


def test_a_missing_scenario_is_named(command):
    """A misspelt scenario gets the nearest one."""
    refused(command("run", "mysit"), "did you mean 'mysite'?")


def test_a_missing_script_is_named(command):
    """A misspelt script gets the nearest file beside it."""
    refused(command("check", SCRIPTS / "crahs.wsgi"), "did you mean 'crash.wsgi'?")


def test_a_syntax_error_is_bad_input(command, python):
    """A script that cannot be compiled is refused with file and line, before any httpd is started."""
    refused(command("check", SCRIPTS / "syntax.wsgi", "--python", python), "syntax.wsgi:1")


def test_bad_python_is_named(command):
    """--python must be an interpreter or an environment."""
    refused(command("check", SCRIPTS / "crash.wsgi", "--python", "/etc/hostname"), "no such interpreter")


def test_only_paths_are_asked_for(command):
    """A URL of another machine is refused: the target is always the harness' own httpd."""
    refused(command("check", SCRIPTS / "crash.wsgi", "--path", "http://example.com/"), "127.0.0.1")


@pytest.mark.parametrize(("option", "value"), [("--header", "no-colon"), ("--env", "NOVALUE")])
def test_malformed_pairs_are_named(command, option, value):
    """A header or variable without its separator is refused with the form it should have."""
    refused(command("check", SCRIPTS / "crash.wsgi", option, value), option, value)


def test_an_unwritable_results_directory_is_named(command):
    """Results that cannot be kept stop the run before it starts."""
    refused(command("run", "mysite", "--results", "/dev/null/results"), "/dev/null/results", "--results")


def test_a_missing_httpd_is_named(command):
    """An apxs that is not there is a missing runtime, with what to install."""
    done = command("run", "poisoned-registry", env={"APXS": "/nowhere/apxs", "HARNESS_CACHE": str(ROOT / ".harness")})
    refused(done, "/nowhere/apxs")


def test_a_bad_fragment_is_named(command, python, tmp_path):
    """A configuration fragment that httpd refuses is bad input, with httpd's own words."""
    fragment = write(tmp_path / "mine.conf", "NoSuchDirective on\n")
    done = command("check", SCRIPTS / "crash.wsgi", "--python", python, "--apache-conf", fragment)
    refused(done, "mine.conf", "NoSuchDirective")


def test_a_taken_port_is_infrastructure(harness_cold_start, python, monkeypatch, open_tmp_path):
    """A port that another program holds is reported as such, and nothing is left running."""
    monkeypatch.setattr(tempfile, "tempdir", str(open_tmp_path))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setattr(httpd, "free_port", lambda: taken.getsockname()[1])
        with pytest.raises(InfrastructureError, match="taken by another program"):
            harness_cold_start(SCRIPTS / "crash.wsgi", python=python)
    assert [] == of_directory(open_tmp_path)
    assert [] == list(open_tmp_path.glob("harness-*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="httpd drops to another user only when it is started by root")
def test_closed_directory_is_named(command, python, tmp_path):
    """Started by root, httpd runs as another user: the directory that this user cannot enter is named."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    script = write(closed / "site.wsgi", (SCRIPTS / "crash.wsgi").read_text())
    done = command("check", script, "--python", python)
    assert 2 == done.returncode
    assert "cannot enter" in done.stderr
    assert "chmod o+rx" in done.stderr


@pytest.fixture
def running(python, open_tmp_path):
    """A run of many trials that is under way: the process and its history."""
    results = open_tmp_path / "results"
    options = ["--mode", "daemon", "--python", str(python), "--trials", "5000", "--results", str(results)]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "check", SCRIPTS / "check_then_act_fixed.wsgi", *options],
        cwd=ROOT,
        env={"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ, "TMPDIR": str(open_tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert until(lambda: len(trials_of(results)) >= 12)
    yield process, results
    process.kill()
    process.wait()


def until(condition, seconds=60):
    """Wait for a condition; False if it does not come true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def trials_of(results):
    """The trials in the history of a run that may still be going on."""
    return [each for path in results.glob("*/cases/*.jsonl") for each in read(path) if isinstance(each, Trial)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interruption_keeps_finished_trials(running, open_tmp_path, number):
    """Ctrl-C or SIGTERM in mid-run: exit code 3, histories readable, no process and no directory left."""
    process, results = running
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert 3 == process.returncode, errors
    assert "interrupted" in errors
    assert "Traceback" not in errors
    result = json.loads(next(results.glob("*/result.json")).read_text())
    assert "interrupted" == result["status"]
    assert len(trials_of(results)) == result["cases"][0]["trials"] >= 12
    assert [] == of_directory(open_tmp_path)
    assert [] == list(open_tmp_path.glob("harness-*"))


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv (util-linux)")
def test_a_killed_harness_leaves_no_server(running, open_tmp_path):
    """Even SIGKILL, which nobody can handle, ends httpd and Locust, and the history stays readable."""
    process, results = running
    workers = [each for each in psutil.Process(process.pid).children() if "harness.load.worker" in each.cmdline()]
    process.kill()
    process.wait()
    assert until(lambda: not of_directory(open_tmp_path))
    assert workers
    assert until(lambda: not any(each.is_running() for each in workers))
    assert len(trials_of(results)) >= 12


def of_directory(path):
    """The httpds and interpreters of a harness whose temporary directory this is."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = " ".join(process.info["cmdline"] or ())
        if f"{path}/harness-" in words:
            found.append(words)
    return found


def test_a_stored_run_is_judged_anew(command, python, tmp_path):
    """`report` grades the stored history, and comes to what the run itself came to."""
    done = command("check", SCRIPTS / "half_list.wsgi", "--python", python, "--mode", "daemon", "--trials", 6)
    assert 1 == done.returncode, done.stderr
    run = next((tmp_path / "results").iterdir())
    again = command("report", run.name, "--results", tmp_path / "results", "--json", "-")
    first, second = json.loads((run / "result.json").read_text()), json.loads(again.stdout)
    assert 1 == again.returncode
    assert first["cases"] == second["cases"]


def test_json_is_written_as_published(command, python, tmp_path):
    """--json writes what result.json holds, and it is valid against the published schema."""
    target = tmp_path / "out.json"
    done = command("check", SCRIPTS / "volatile.wsgi", "--python", python, "--trials", 4, "--json", target)
    schema = json.loads(command("schema").stdout)
    assert 0 == done.returncode, done.stderr
    jsonschema.validate(json.loads(target.read_text()), schema)
    assert target.read_text() == next((tmp_path / "results").glob("*/result.json")).read_text()


def test_fail_on_hazard(command, python, open_tmp_path):
    """A hazard passes by default, and fails with --fail-on hazard."""
    script = write(open_tmp_path / "lazy.wsgi", LAZY)
    options = ("check", script, "--python", python, "--mode", "daemon", "--trials", 12)
    assert [0, 1] == [command(*options).returncode, command(*options, "--fail-on", "hazard").returncode]


def test_doctor_says_what_is_here(command):
    """The doctor names httpd, the interpreters and the runtimes."""
    done = command("doctor", env={"COLUMNS": "200"})
    assert 0 == done.returncode
    for word in ("httpd", "Python 3.11", "runtime django52", "Docker"):
        assert word in done.stdout


def test_an_unreadable_run_is_named(command, tmp_path):
    """A run that is not stored is refused."""
    refused(command("report", "nothing", "--results", tmp_path), "no stored run")


def test_full_measures_an_expected_race(command, tmp_path):
    """An expected race that is settled ends early; with --full every trial is made, so that its rate is measured."""
    options = ("--case", "daemon::affected::natural", "--trials", 14, "--json", tmp_path / "result.json")
    for full, trials in (("--full",), 14), ((), range(10, 14)):
        done = command("run", "flag-before-work", *options, *full)
        assert 0 == done.returncode, done.stderr
        found = json.loads((tmp_path / "result.json").read_text())["cases"][0]["trials"]
        assert found == trials if full else found in trials
