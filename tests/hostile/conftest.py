"""Attacks on an installed harness take minutes: they are run where they are asked for."""

import os
import re
from pathlib import Path

import pytest

_lines: list[str] = []
# Of what pytest says of a failed assertion: enough to see what was expected, and what came.
LONGEST = 110


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if os.environ.get("HARNESS_UNDER_TEST") or "attack" in config.getoption("markexpr"):
        return
    attacks = [item for item in items if item.get_closest_marker("attack")]
    config.hook.pytest_deselected(items=attacks)
    items[:] = [item for item in items if item not in attacks]


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note each attack and the assertion that failed, for the file that HARNESS_ATTACKS_KEPT names."""
    if "test_attacks" not in report.nodeid or (report.when != "call" and not report.failed):
        return
    name = report.nodeid.partition("::test_")[2]
    crash = getattr(report.longrepr, "reprcrash", None)
    message = "" if crash is None else crash.message
    said = re.search(r"^assert .*|^AssertionError: (did not end .*|it .*)", message, re.MULTILINE)
    why = said[0] if said else message.partition("\n")[0]
    why = re.sub(r"(/[\w.+-]+){2,}/", "…/", why).encode("ascii", "backslashreplace").decode()[:LONGEST]
    name = name.encode("ascii", "backslashreplace").decode()[:LONGEST]
    _lines.append(f"{report.outcome.upper():7} {name}" + (f"\n        {why}" if report.failed else ""))


def pytest_sessionfinish() -> None:
    kept = os.environ.get("HARNESS_ATTACKS_KEPT")
    if kept and _lines and "PYTEST_XDIST_WORKER" not in os.environ:
        failed = sum(line.startswith("FAILED") for line in _lines)
        Path(kept).write_text("\n".join([*sorted(_lines), f"{failed} of {len(_lines)} attacks succeed"]) + "\n")
