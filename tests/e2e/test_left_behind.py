"""What a site's processes leave running is ended, and told; it makes no race, but no plain clean either."""

import msgspec
import psutil
import pytest

from harness.report.console import case_lines
from harness.store.regrade import regrade

pytestmark = [pytest.mark.e2e, pytest.mark.faults]
# Nobody else sleeps so long.
SLEEPERS = (["sleep", "1001"], ["sleep", "1002"])


@pytest.mark.parametrize("mode", ["daemon", "embedded"])
def test_left_behind(start, mode):
    """Two processes of each cold process, those of the controls among them: ended, told, in the record."""
    result = start("leaves", mode=mode, trials=4)
    assert 2 * 6 == sum(result.left_processes.values())
    assert {"sleep 1001", "sleep 1002"} == result.left_processes.keys()
    assert "each cold process of the site leaves 2 processes behind: sleep 100" in "\n".join(case_lines(result))
    assert result.verdict in ("clean", "hazard")
    assert not [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] in SLEEPERS]


def test_nothing_left_behind(start):
    """A subprocess that has ended before is none, nor a helper that ends with its process, nor the server's own."""
    result = start("leaves_nothing", mode="daemon", trials=4)
    assert {} == result.left_processes
    assert "" == result.left_behind


def test_it_is_told_again(start, pytestconfig):
    """A stored run, judged anew, says the same."""
    from harness.pytest_plugin import _SESSION  # noqa: PLC0415 - only here

    result = start("leaves", mode="daemon", trials=2)
    again = regrade(pytestconfig.stash[_SESSION].session().directory)
    (stored,) = [case for case in again.cases if case.case == result.case]
    assert result.left_behind == stored.left_behind
    assert msgspec.to_builtins(result.left_processes) == msgspec.to_builtins(stored.left_processes)
