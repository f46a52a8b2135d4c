"""Fixtures for tests on a real Apache."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from same_again import differences, stored_runs_under

from harness.hosting.preparing import prepare
from harness.runtimes.spec import declared_runtimes

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).parent / "scripts"


@pytest.fixture(scope="session")
def python():
    """The interpreter of the reference runtime, which the server's user can reach."""
    return prepare("django52", declared_runtimes()["django52"]).python


@pytest.fixture
def start(harness_cold_start, python):
    """Cold-start one of the scripts beside this file, and return the case's result."""

    def start(name, **options):
        return harness_cold_start(SCRIPTS / f"{name}.wsgi", python=python, **{"trials": 12, **options})

    return start


@pytest.fixture
def command(tmp_path):
    """Run the harness command as a user would, with its results in a temporary directory."""

    def command(*arguments, timeout=120, **more):
        arguments = [*map(str, arguments)]
        if arguments and arguments[0] in ("run", "check") and "--results" not in arguments:
            arguments += ["--results", str(tmp_path / "results")]
        if arguments and arguments[0] == "run" and "--backend" not in arguments:
            arguments += ["--backend", "local"]  # even if a stack is running on the machine
        environment = {"HARNESS_CACHE": str(ROOT / ".harness"), **os.environ, **more.pop("env", {})}
        return subprocess.run(
            [sys.executable, "-m", "harness.cli", *arguments],
            cwd=more.pop("cwd", ROOT),
            env=environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return command


@pytest.fixture(autouse=True)
def same_again(request):
    """Every run that a test left is judged again as it was judged, however it ended."""
    places = [request.getfixturevalue(name) for name in ("tmp_path", "open_tmp_path") if name in request.fixturenames]
    yield
    for directory in stored_runs_under(*places):
        assert [] == differences(directory), f"{directory}: judged otherwise now"


@pytest.fixture
def open_tmp_path():
    """A temporary directory that the server's user can enter; other users cannot enter pytest's own."""
    with tempfile.TemporaryDirectory(prefix="open-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)
