"""The tables of results/README.md that have their data beside them agree with it."""

import json
from pathlib import Path

import pytest

RESULTS = Path(__file__).resolve().parents[1] / "results"


@pytest.mark.parametrize("kind", ["A/A", "lazy", "slower", "lock"])
def test_the_power_of_the_gate_is_what_was_measured(kind):
    """Alarms and comparisons of each kind, as the lines that gate_power has kept say."""
    lines = (RESULTS / "reference" / "gate-power.jsonl").read_text().splitlines()
    here = [each for each in map(json.loads, lines) if each["kind"] == kind]
    alarming = sum(bool(each["alarms"]) for each in here)
    assert f"| {kind} | {alarming} of {len(here)} |" in (RESULTS / "README.md").read_text()
