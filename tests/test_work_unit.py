"""What pytest-xdist gives to one worker as a whole."""

import pytest

from harness.pytest_plugin import work_unit


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("scenarios/mysite.toml::embedded::default::natural", "embedded"),
        ("scenarios/mysite2010.toml::embedded::naive_a::perturbed", "embedded"),
        ("scenarios/mysite.toml::daemon::default::natural", "scenarios/mysite.toml"),
        ("tests/test_stack.py::TestService::test_share", "tests/test_stack.py"),
        ("tests/e2e/test_verdicts.py::embedded::it", "tests/e2e/test_verdicts.py"),
    ],
)
def test_work_units(nodeid, unit):
    """All embedded cases are one unit, whatever their file; every other test goes with its file."""
    assert unit == work_unit(nodeid)
