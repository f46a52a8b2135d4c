"""The snapshot lane: what it finds, what it refuses, and that its children share nothing."""

import re
from pathlib import Path

import pytest

from harness.records import Trial
from harness.store.history import read

pytestmark = pytest.mark.e2e
SCRIPTS = Path(__file__).parent / "scripts"
SCENARIO = """
title = "a test"
site = "tiny"
scripts = ["it"]
runtime = "django52"
trials = 12
{more}

[load]
users = 15
paths = {paths}
timeout = {patience}

[[expect]]
verdict = ["race", "clean", "hazard"]
outcomes.ok = {{ grade = "expected", why = "somebody is answered" }}
outcomes.error = {{ grade = "acceptable", why = "what the script is for" }}
outcomes.hang = {{ grade = "acceptable", why = "what the script is for" }}
outcomes.crash = {{ grade = "acceptable", why = "what the script is for" }}
"""


@pytest.fixture
def explore(command, open_tmp_path):
    """Explore one of the scripts beside this file, or a script of this text."""

    def explore(script, *options, paths=("/",), more="", patience=30):
        place = open_tmp_path / "sites" / "tiny" / "scripts"
        place.mkdir(parents=True)
        known = SCRIPTS / f"{script}.wsgi"
        (place / "it.wsgi").write_text(known.read_text() if known.is_file() else script)
        scenario = open_tmp_path / "tiny.toml"
        scenario.write_text(SCENARIO.format(paths=list(paths), more=more, patience=patience))
        results = open_tmp_path / "results"
        arguments = ("--sites", open_tmp_path / "sites", "--results", results, *options)
        done = command("explore", scenario, *arguments)
        (history,) = (each for each in results.glob("*/cases/*.jsonl") if "apache" not in each.name)
        trials = [each for each in read(history) if isinstance(each, Trial)] if history.stat().st_size else []
        return done, trials

    return explore


def test_race_is_confirmed_on_apache(explore):
    """A race that the snapshot lane finds is confirmed on Apache."""
    done, trials = explore("check_then_act", "--confirm")
    assert "race (failed-request)" in done.stdout, done.stdout + done.stderr
    assert "failed-request: confirmed, seen on Apache too" in done.stderr
    assert len({each.evidence.processes[0].process for each in trials}) == len(trials)


def test_the_fixed_twin_is_clean(explore):
    """The fixed site is clean; its first three trials run alone, and each answer has its process's request count."""
    done, trials = explore("check_then_act_fixed")
    assert "tiny::daemon::it::natural: clean" in done.stdout, done.stdout + done.stderr
    assert 12 == len(trials)
    first = sorted(trials, key=lambda each: each.begin)[:3]
    assert [1, 2, 3] == [each.number for each in first]
    for one in first:  # alone
        assert [one.number] == [each.number for each in trials if each.begin < one.end and one.begin < each.end]
    assert all(answer.count is not None for each in trials for answer in each.answers)


def test_hang_keeps_waiting_stacks(explore):
    """The child that hangs is ended, and the stacks of its threads say which lock each waits for."""
    done, trials = explore("lock_order", "--trials", "2", paths=("/a", "/b"))
    assert "race (hang)" in done.stdout, done.stdout + done.stderr
    assert "wait for (script)._" in done.stdout
    assert any(each.evidence.stacks for each in trials)


def test_dead_child_is_a_crash(explore):
    """A child process that dies during a trial is reported as a crash."""
    done, _ = explore("crash", "--trials", "3")
    assert "crash" in done.stdout, done.stdout + done.stderr


def test_script_with_thread_is_refused(explore):
    """A script that starts a thread is refused in one sentence: the thread would be missing from every forked child."""
    script = "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\napplication = 1\n"
    done, _ = explore(script)
    assert 2 == done.returncode
    assert "the process has a thread, which forked children would share" in done.stderr
    assert "Traceback" not in done.stderr


def test_hanging_import_is_reported(explore):
    """A script whose import hangs is ended after load.timeout, as a request would be, and the sentence says so."""
    done, _ = explore("import threading\nthreading.Event().wait()\n", patience=1)
    assert 2 == done.returncode
    assert "the script is still being imported after 1 s (load.timeout)" in done.stderr
    assert "Traceback" not in done.stderr


def test_failing_import_is_judged(explore):
    """A script that does not import is broken, as it is on Apache, and the exception is named."""
    done, _ = explore("import nowhere_to_be_found\n")
    assert 1 == done.returncode
    assert "broken (error)" in done.stdout
    assert "ModuleNotFoundError: No module named 'nowhere_to_be_found'" in done.stdout
    assert "Traceback" not in done.stderr


def test_an_order_is_enforced_on_replay(explore, command, open_tmp_path):
    """The order in which the threads of a bad trial passed their points is kept, and followed when it is done again."""
    _, trials = explore("check_then_act", more='schedules = ["perturbed"]')
    bad = next(each for each in trials if any(answer.status == 500 for answer in each.answers))
    assert bad.order.runs
    (run,) = (open_tmp_path / "results").iterdir()
    options = ("--trials", "4", "--no-minimise", "--results", open_tmp_path / "results")
    done = command("replay", f"{run.name}#{bad.number}", *options)
    assert 0 == done.returncode, done.stderr
    assert "its own order enforced" in done.stderr
    assert "of its steps followed" in done.stderr


def test_unmatched_packages_are_inconclusive(explore):
    """perturb.packages of which no request ran a line make the case inconclusive, not clean."""
    strategies = 'perturb = { packages = ["no_such_package"], strategies = ["at-lines", "priorities"] }'
    done, _ = explore("check_then_act_fixed", "--trials", "2", more=f'schedules = ["perturbed"]\n{strategies}')
    assert 3 == done.returncode, done.stdout
    assert "perturb.packages: no request ran a line of them" in done.stdout


def test_race_story_is_complete(command, tmp_path):
    """Which request failed where, the module that was half done, which thread was executing it, the cost, the cure."""
    options = ("--trials", "4", "--case", "natural", "--results", tmp_path / "results")
    done = command("explore", "circular-import", *options)
    assert 0 == done.returncode, done.stderr
    told = done.stdout
    assert re.search(r"failed at \S+ ms in shop/\w+\.py line \d+ \(describe\): .*partially initialized", told)
    assert re.search(r"Module shop\.\w+ was still being executed by thread \d+, at shop/\w+\.py line \d+", told)
    assert re.search(r"\d+ of 15 requests failed: GET /", told)
    assert re.search(r"To prevent it: import shop\.\w+ while the script is imported, by one thread", told)
