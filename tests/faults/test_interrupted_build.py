"""A build that is interrupted leaves nothing half-built and no process, by whatever signal."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness import proc
from harness.hosting.preparing import installed_httpd

pytestmark = [pytest.mark.faults, pytest.mark.skipif(os.name != "posix", reason="signals")]

SCRIPT = "def application(environ, start_response):\n    start_response('200 OK', [])\n    return [b'']\n"
# Of a busy machine; each wait ends as soon as what it waits for is there.
SECONDS = 60


@pytest.fixture
def building(tmp_path):
    """A harness that has begun to build a runtime: its process, and the pids of what it builds with."""
    if installed_httpd().httpd is None:
        pytest.skip("httpd itself would be built")
    (tmp_path / "site.wsgi").write_text(SCRIPT)
    cache = tmp_path / "cache"
    harness = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", "check", "site.wsgi", "--trials", "1", "--results", "results"],
        cwd=tmp_path,
        env={**os.environ, "HARNESS_CACHE": str(cache), "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: builders_in(cache) or ended(harness))
        builders = builders_in(cache)
        assert builders, harness.communicate()[0]
        yield harness, builders, cache
    finally:
        harness.kill()
        harness.wait()


def ended(process):
    return process.poll() is not None


def pids():
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def builders_in(cache):
    """The processes of a build: its commands have a temporary directory of their own."""
    return [pid for pid in pids() if environment(pid, "TMPDIR").startswith(str(cache))]


def environment(pid, name):
    try:
        entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return ""
    return next((entry.partition("=")[2] for entry in entries if entry.startswith(f"{name}=")), "")


def wait_until(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_interrupted(building, name):
    """One sentence, exit code 3; what was half-built is gone, as is every process."""
    harness, builders, cache = building

    harness.send_signal(signal.Signals[name])
    said, _ = harness.communicate(timeout=SECONDS)

    assert 3 == harness.returncode, said
    assert "Traceback" not in said
    assert "interrupted" in said
    assert [] == [path.name for path in (cache / "runtimes").iterdir() if path.is_dir()]
    wait_until(lambda: not any(map(proc.identify, builders)))


def test_killed(building):
    """Nobody can clean up after SIGKILL at once, but no process goes on building."""
    harness, builders, _ = building

    harness.kill()
    harness.wait()

    wait_until(lambda: not any(map(proc.identify, builders)))
