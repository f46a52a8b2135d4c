"""The order of threads, kept and enforced, and what the perturbation watches: on every Python of this machine."""

import json
import subprocess
from pathlib import Path

import pytest
from playing import INSIDE

DRIVER = Path(__file__).with_name("drive_order.py")


@pytest.fixture
def play(python):
    def play(name):
        done = subprocess.run(
            [python, "-B", DRIVER, INSIDE, name], capture_output=True, text=True, timeout=60, check=False
        )
        assert not done.stderr
        return json.loads(done.stdout)

    return play


def test_kept(play):
    """The order is told as runs; a request that follows the stampede is no part of it."""
    assert {"runs": [[0, 2], [1, 1], [0, 1]], "steps": 4, "followed": 0} == play("kept")["told"]


def test_enforced(play):
    """Three threads step in the order that was given, whichever comes first."""
    seen = play("enforced")

    assert [1, 1, 0, 0, 0, 2, 1] == seen["done"]
    assert (7, 7, 0) == (seen["told"]["followed"], seen["told"]["steps"], seen["alive"])


def test_lock_between_points(play):
    """A thread that waits in the middle of its run for one whose turn is later gets what it waits for."""
    seen = play("hidden_lock")

    assert 0 == seen["alive"]
    assert [1, 0, 1] == seen["done"][:3]
    assert 6 == len(seen["done"])
    assert seen["told"]["followed"] < seen["told"]["steps"]


def test_fewer_steps(play):
    """A thread that ends early keeps nobody waiting, and what it left out counts as not followed."""
    seen = play("fewer_steps")

    assert 0 == seen["alive"]
    assert [0, 1, 1] == seen["done"]
    assert (3, 9) == (seen["told"]["followed"], seen["told"]["steps"])


def test_watched(play):
    """A delay at a write to `settings` falls between its being cleared and its being set; a lock is told when it is
    about to be taken and when it has been given back, and is the same lock."""
    seen = play("watched")

    assert [None, "after"] == seen["seen"]
    assert ["point", "inside", "point"] == seen["points"]
    assert seen["same"]
