"""Cases that are alike but for their schedule take turns on one real Apache."""

import itertools
import json

import pytest

from harness.records import Control, Trial
from harness.store.history import read, read_case

pytestmark = pytest.mark.e2e

SCENARIO = """
title = "in turns"
site = "tiny"
scripts = ["script"]
runtime = "django52"
modes = ["{mode}"]
restart = "{restart}"
schedules = ["natural", "perturbed"]
trials = {trials}

[[expect]]
schedules = ["natural"]
verdict = {natural}
outcomes.ok = {{ grade = "expected", why = "somebody is answered" }}
outcomes.error = {{ grade = "acceptable", why = "the half-built table" }}

[[expect]]
schedules = ["perturbed"]
verdict = ["race", "clean"]
outcomes.ok = {{ grade = "expected", why = "somebody is answered" }}
outcomes.error = {{ grade = "acceptable", why = "the half-built table" }}
outcomes.slow = {{ grade = "acceptable", why = "switching threads each microsecond, on a machine that is busy" }}
"""


@pytest.fixture
def run(command, open_tmp_path, request):
    """Run a script of this directory, both schedules: the history of each, by its schedule."""

    def run(name, mode="daemon", restart="respawn", natural='["race", "clean"]', trials=20):
        scripts = open_tmp_path / "sites" / "tiny" / "scripts"
        scripts.mkdir(parents=True)
        source = request.path.parent / "scripts" / f"{name}.wsgi"
        (scripts / "script.wsgi").write_text(source.read_text())
        scenario = open_tmp_path / "tiny.toml"
        scenario.write_text(SCENARIO.format(mode=mode, restart=restart, natural=natural, trials=trials))
        results = open_tmp_path / "results"
        done = command("run", scenario, "--sites", open_tmp_path / "sites", "--results", results)
        assert done.returncode == 0, done.stdout + done.stderr
        (directory,) = results.iterdir()
        told = json.loads((directory / "result.json").read_bytes())
        histories = {read_case(path).schedule: list(read(path)) for path in (directory / "cases").glob("*.jsonl")}
        return {case["schedule"]: case for case in told["cases"]}, histories

    return run


@pytest.mark.parametrize(
    ("mode", "restart"),
    [
        ("daemon", "respawn"),
        ("embedded", "respawn"),
        ("daemon", "restart"),
        ("daemon", "graceful"),
        ("daemon", "touch"),
    ],
)
def test_natural_and_perturbed_trials_alternate(run, mode, restart):
    """Every process of a perturbed trial was disturbed, none of a natural one, and neither schedule runs ahead."""
    told, histories = run("check_then_act_fixed", mode=mode, restart=restart)
    for schedule, history in histories.items():
        fresh = [
            inside
            for each in history
            if isinstance(each, Control | Trial)
            for inside in each.evidence.inside
            if any(process.fresh and process.process == inside.process for process in each.evidence.processes)
        ]
        assert len(fresh) >= 20
        assert {schedule == "perturbed"} == {bool(inside.strategy) for inside in fresh}
        assert 20 == told[schedule]["trials"]
    begun = sorted(
        (each.begin, schedule) for schedule, history in histories.items() for each in history if isinstance(each, Trial)
    )
    assert max(len(list(run)) for _, run in itertools.groupby(begun, lambda each: each[1])) <= 4


def test_settled_schedule_ends_early(run):
    """A race that is expected is settled after ten trials; the other schedule goes on to its last one."""
    told, histories = run("check_then_act", natural='"race"', trials=40)
    assert "race" == told["natural"]["verdict"]
    assert told["natural"]["trials"] < 20
    assert 40 == told["perturbed"]["trials"]
    assert 40 == sum(isinstance(each, Trial) for each in histories["perturbed"])
