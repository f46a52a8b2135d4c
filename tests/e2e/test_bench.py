"""`harness bench` on a real Apache."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness.bench.journal import read_bench
from harness.bench.summary import rows

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
SHORT = (
    "--backend",
    "local",
    "--mode",
    "daemon",
    "--restart-at",
    "1",
    "--during",
    "1.5",
    "--after",
    "1",
    "--rate",
    "30",
)


def test_a_restart_under_load_is_measured(command, tmp_path):
    """Every request of the rate is there, old and new processes answer, and a cold start is dearer than a warm request.
    A script that fails one request at a time too is not measured, and says why."""
    scripts = ("--script", "default", "--script", "naive2010")
    done = command(
        "bench", "mysite", *SHORT, *scripts, "--cycles", 1, "--results", tmp_path, "--json", tmp_path / "b.json"
    )
    assert 0 == done.returncode, done.stderr
    run = json.loads((tmp_path / "b.json").read_text())["run"]
    measured, broken = read_bench(tmp_path / run).cells
    (cycle,) = measured.cycles
    samples = rows(cycle)
    assert 120 == len(samples)
    assert [pytest.approx(number / 30, abs=1e-3) for number in range(120)] == [each.intended for each in samples]
    assert {0, 1} == {each.process for each in samples if each.process is not None}
    assert measured.summary.outcomes["ok"] > 80
    assert measured.summary.first_new_ms >= measured.summary.start_ms > 0
    assert cycle.cold.first_ms > cycle.cold.warm_ms
    assert cycle.cold.cpu_s > 0
    assert cycle.cold.resident_mib > 5
    assert () == broken.cycles
    assert broken.note.startswith("broken (error)")


def test_ctrl_c_keeps_measurements(tmp_path):
    """Ctrl-C, with Locust workers: exit code 3, a sentence, the file with what was measured, and no process left."""
    options = ("--script", "default", "--workers", "1", "--results", str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "bench", "mysite", *SHORT, *options],
        cwd=ROOT,
        env={"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    family = []
    try:
        # Its server is up as soon as it has two children: Locust's master, and httpd.
        deadline = time.monotonic() + 90
        while len(psutil.Process(process.pid).children()) < 2:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert 3 == process.returncode, err
    assert "interrupted; what was measured is kept" in err
    assert "interrupted" == read_bench(next(tmp_path.iterdir())).status
    _, alive = psutil.wait_procs(family, timeout=10)
    assert [] == alive, out
