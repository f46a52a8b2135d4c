"""Runs that harness 0.1 stored are judged today as they were then: verdicts, counts, keys of findings, exit codes.

`tests/stored/` holds them, and `expected.json` what 0.1 itself made of them.
"""

import json
import lzma
from pathlib import Path

import msgspec
import pytest

from harness.result import exit_code
from harness.store.regrade import regrade
from harness.store.runs import histories
from harness.store.stored_case import StoredCase

STORED = Path(__file__).parent / "stored"
EXPECTED = json.loads((STORED / "expected.json").read_text())


@pytest.fixture(params=sorted(EXPECTED))
def run(request, tmp_path):
    """A stored run, unpacked."""
    directory = tmp_path / request.param
    (directory / "cases").mkdir(parents=True)
    (directory / "result.json").write_bytes((STORED / request.param / "result.json").read_bytes())
    for packed in (STORED / request.param / "cases").glob("*.xz"):
        (directory / "cases" / packed.stem).write_bytes(lzma.decompress(packed.read_bytes()))
    return directory


def test_same_result(run):
    """Each case has the verdict and the counts that it had, and the run its exit code."""
    result = regrade(run)
    expected = EXPECTED[run.name]
    assert expected["exit_code"] == exit_code(result.cases, result.status)
    assert sorted(expected["cases"]) == sorted(case.case for case in result.cases)
    for case in result.cases:
        assert expected["cases"][case.case] == _like(expected["cases"][case.case], msgspec.to_builtins(case))


def _like(pattern, value):
    """Of a value the fields that a pattern has."""
    if isinstance(pattern, dict) and isinstance(value, dict):
        return {name: _like(pattern[name], value.get(name)) for name in pattern}
    if isinstance(pattern, list) and isinstance(value, list) and len(pattern) == len(value):
        return [_like(one, other) for one, other in zip(pattern, value, strict=True)]
    return value


def test_same_keys(run):
    """The findings of each trial have the keys that they had."""
    expected = EXPECTED[run.name]["keys"]
    for path in histories(run):
        stored = StoredCase(path)
        if stored.case.id in expected:
            keys = [[finding.key for finding in graded.findings] for _, graded in stored.graded()]
            assert expected[stored.case.id] == keys
