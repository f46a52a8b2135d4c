"""What needs Apache, Docker or a browser is marked e2e: `pytest -m "not e2e"` is the fast suite."""

from pathlib import Path

import pytest

END_TO_END = Path(__file__).parent / "tests" / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        is_scenario = item.path.suffix == ".toml"
        has_browser = "chromium" in getattr(item, "fixturenames", ())
        if is_scenario or has_browser or END_TO_END in item.path.parents:
            item.add_marker("e2e")
