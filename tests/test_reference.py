"""The tables of results/README.md that have their data beside them agree with it."""

import json
import math
import statistics
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


def test_the_time_to_detection_is_what_was_measured():
    """The median of the rounds of each cell, and what it is to the best of what people do today."""
    lines = (RESULTS / "reference" / "time-to-detection.jsonl").read_text().splitlines()
    cells = [json.loads(line) for line in lines]
    text = (RESULTS / "README.md").read_text()
    for race in {each["race"] for each in cells}:
        found = {}
        for each in cells:
            if each["race"] == race:
                found.setdefault(each["way"], []).append(each)
        shown = [median(each) for each in found.values()]
        assert f"| {race} | {' | '.join(shown)} |" in text


def median(rounds):
    """A cell of the table, as the benchmark prints it."""
    seconds = sorted(each["seconds"] if each["seconds"] is not None else math.inf for each in rounds)
    middle = seconds[len(seconds) // 2]
    if middle == math.inf:
        return "not found"
    return f"{middle:.2f} s, {statistics.median(each['restarts'] for each in rounds):.0f}"


def corpus():
    text = (RESULTS / "reference" / "corpus.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def detection(cases):
    """A cell of the table: bad of effective trials where a race was found, and its first sight; else the verdicts."""
    found = [each for each in cases if each["verdict"] == "race"]
    if found:
        bad, effective = (sum(each[name] for each in found) for name in ("bad_trials", "effective_trials"))
        first = min(found, key=lambda each: each["first_bad_s"])
        return f"{bad} of {effective}; trial {first['first_bad_trial']}, {first['first_bad_s']:.1f} s"
    (kind,) = {each["verdict"] + (f" ({each['broken_class']})" if each["broken_class"] else "") for each in cases}
    return kind


@pytest.mark.parametrize("row", sorted({each["row"] for each in corpus()}))
def test_the_corpus_is_what_was_measured(row):
    """Each row's detection, natural and perturbed apart, and the trials of its fixed releases."""
    here = [each for each in corpus() if each["row"] == row]
    affected = [each for each in here if each["release"] == "affected"]
    cells = [detection([each for each in affected if each["schedule"] == name]) for name in ("natural", "perturbed")]
    fixed = [each for each in here if each["release"] == "fixed"]
    bad, effective = (sum(each[name] for each in fixed) for name in ("bad_trials", "effective_trials"))
    cells.append(f"{bad} of {effective}" if effective else "-")
    table = (RESULTS / "README.md").read_text().partition("## Known races, found")[2].partition("\n## ")[0]
    (line,) = [each for each in table.splitlines() if each.startswith(f"| {row} | ")]
    assert line.endswith(f"| {' | '.join(cells)} |")
    assert all(each["met"] for each in here)


def test_the_sums_of_the_corpus():
    """No false alarm, in so many effective trials of fixed releases."""
    fixed = [each for each in corpus() if each["release"] == "fixed"]
    text = (RESULTS / "README.md").read_text()
    assert 0 == sum(each["bad_trials"] for each in fixed)
    assert f"0 bad of {sum(each['effective_trials'] for each in fixed)} effective trials" in text
