"""How many stampedes run at a time."""

import os

import pytest
from build import make_case

from harness.runner import default_flights


@pytest.mark.parametrize(
    ("cores", "schedule", "flights"),
    [
        (1, "natural", 1),
        (2, "natural", 1),
        (3, "natural", 1),
        (8, "natural", 4),
        (2, "perturbed", 2),
        (None, "natural", 1),
    ],
)
def test_a_stampede_left_alone_has_two_cores(monkeypatch, cores, schedule, flights):
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert flights == default_flights(make_case(schedule=schedule))
