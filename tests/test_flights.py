"""How many trials are in their stampede at a time."""

import os

import pytest
from build import make_case

from harness.runner import stampedes_at_a_time


@pytest.mark.parametrize(
    ("cores", "schedule", "stampedes"),
    [
        (1, "natural", 1),
        (2, "natural", 1),
        (3, "natural", 1),
        (8, "natural", 4),
        (2, "perturbed", 2),
        (None, "natural", 1),
    ],
)
def test_a_stampede_left_alone_has_two_cores(monkeypatch, cores, schedule, stampedes):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert stampedes == stampedes_at_a_time(make_case(schedule=schedule))
