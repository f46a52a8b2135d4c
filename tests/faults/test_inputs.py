"""A form of campaign_inputs.py that takes less than a minute: 150 of its cases, of every command and every kind."""

import random
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults
CAMPAIGN = Path(__file__).with_name("campaign_inputs.py")


def test_broken_inputs():
    """No traceback, no wait over 10 s, no long message, and no exit code but those that are promised.

    In a process of its own: the campaign forks, and this one may have threads.
    """
    # Of 5000 cases every 33rd, from a first one that differs from day to day but is told.
    command = [sys.executable, CAMPAIGN, "--every", "33", "--real", "3", "--seed", str(random.randrange(1000))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert 0 == done.returncode, f"{command}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"
    last = done.stdout.splitlines()[-1]
    assert last.endswith("as they should be")
    assert int(last.split()[0]) >= 150


def test_a_fault_is_seen():
    """The campaign flags a wait, a traceback, a wrong exit code, a long message; and no sound ending."""
    script = """
import sys
sys.path.insert(0, sys.argv[1])
from broken import Broken
from campaign_inputs import Ending, fault
case = Broken("x", ("run",))
endings = [
    Ending(None, "", 10.0), Ending(2, "Traceback (most recent call last):", 1.0), Ending(1, "worse", 1.0),
    Ending(2, "x" * 2001, 1.0), Ending(2, "", 1.0), Ending(70, "", 1.0),
]
assert all(fault(case, ending) for ending in endings)
assert not fault(case, Ending(2, "harness: no such file", 1.0))
assert not fault(Broken("x", ("report",)), Ending(1, "race", 1.0))
"""
    command = [sys.executable, "-c", script, CAMPAIGN.parent]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
