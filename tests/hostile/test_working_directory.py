"""Modules that lie in the working directory are not run by what the harness starts for itself."""

import sys
from pathlib import Path

import pytest

from harness.load.client import LocustClient, SteadyClient
from harness.runtimes.compiling import compiled_by
from harness.runtimes.interpreters import describe

pytestmark = pytest.mark.hostile


@pytest.fixture
def trap(tmp_path, monkeypatch):
    """A working directory whose modules say that they were run."""
    for name in ("locust", "gevent", "select", "json", "base64", "marshal", "sysconfig", "harness_trap"):
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write({name!r})\nraise SystemExit(9)\n"
        )
    monkeypatch.chdir(tmp_path)
    return tmp_path / "ran"


@pytest.mark.parametrize("workers", [None, 0, 1])
def test_locust(trap, tmp_path, workers):
    """The load generator, and the workers that it starts, find Locust and not what is called so there."""
    log = tmp_path / "locust.log"
    with LocustClient(2, log) if workers is None else SteadyClient(2, log, workers):
        pass
    assert not trap.exists()


def test_interpreters(trap):
    """An interpreter is asked what it is, and compiles, without running what lies there."""
    describe.cache_clear()
    assert describe(sys.executable) is not None
    assert {"probe"} == set(compiled_by(Path(sys.executable), (Path(__file__).parents[2] / "harness/inside/probe.py",)))
    assert not trap.exists()
