"""The locustfile with the `locust` command alone."""

import subprocess
import sys
from pathlib import Path

import pytest

from harness.cases.script import script_case
from harness.hosting.local import LocalHost
from harness.hosting.preparing import prepare
from harness.runtimes.spec import declared_runtimes

pytestmark = pytest.mark.e2e
LOCUSTFILE = Path(__file__).resolve().parents[2] / "harness" / "load" / "locustfile.py"


def locust(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "--only-summary", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_stampede_repeats_against_a_server(python):
    """Without the harness, users meet again and again, and Locust's own statistics count their requests."""
    runtime = prepare("django52", declared_runtimes()["django52"])
    case = script_case(Path(__file__).parent / "scripts" / "check_then_act_fixed.wsgi", mode="embedded")
    with LocalHost(case, runtime, slots=4) as host, host.cold() as slot:
        done = locust("-u", "5", "-r", "5", "-t", "3s", "--host", f"http://127.0.0.1:{slot.address[1]}")
    assert 0 == done.returncode, done.stderr
    aggregated = next(line for line in done.stderr.splitlines() if line.strip().startswith("Aggregated")).split()
    assert int(aggregated[1]) >= 10
    assert "0(0.00%)" == aggregated[2]


def test_another_machine_is_refused():
    """A host that is not this machine is never a target."""
    done = locust("-u", "2", "-r", "2", "-t", "2s", "--host", "http://192.0.2.1:9")
    assert 0 != done.returncode
    assert "only for a server on this machine" in done.stderr
