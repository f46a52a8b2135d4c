"""The bootstrap as a distribution of its own."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_wheel(tmp_path):
    """The wheel is for Python 2 and 3, and holds the one file as it is in the repository."""
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        tmp_path,
        ROOT / "bootstrap",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if "No matching distribution found for hatchling" in done.stderr:
        pytest.skip("hatchling, which builds the wheel, cannot be fetched")
    assert 0 == done.returncode, done.stderr

    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (module,) = [name for name in archive.namelist() if "dist-info" not in name]
        assert (ROOT / "harness" / "bootstrap.py").read_bytes() == archive.read(module)
    assert "harness_bootstrap.py" == module
    assert wheel.name.endswith("-py2.py3-none-any.whl")
