"""What needs Apache, Docker or a browser is marked e2e: `pytest -m "not e2e"` is the fast suite."""

from pathlib import Path

import pytest

END_TO_END = Path(__file__).parent / "tests" / "e2e"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """The run of this very session is judged again as it was judged."""
    try:
        from same_again import differences  # noqa: PLC0415 - tests/conftest.py makes it importable
    except ImportError:  # no test of that directory is in this session
        return

    from harness.pytest_plugin import stored_session  # noqa: PLC0415

    directory = stored_session(session.config)
    wrong = differences(directory) if directory is not None else []
    if wrong:
        print("\njudged otherwise now:", *wrong, sep="\n  ")
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        is_scenario = item.path.suffix == ".toml"
        has_browser = "chromium" in getattr(item, "fixturenames", ())
        if is_scenario or has_browser or END_TO_END in item.path.parents:
            item.add_marker("e2e")
