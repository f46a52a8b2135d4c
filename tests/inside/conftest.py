"""The interpreters of this machine, one after another, and what is compiled by each."""

from pathlib import Path

import pytest
from playing import ABSENT, MINORS, interpreter

from harness.hosting.programs import PROGRAMS
from harness.runtimes.compiling import compiled_by


@pytest.fixture(scope="module", params=[minor for minor in MINORS if minor not in ABSENT])
def python(request):
    """An interpreter of each minor version; which are absent, test_probe.py tells."""
    found = interpreter(request.param)
    if found is None:
        pytest.skip(f"python{request.param} is on this machine, but does not run")
    return found


@pytest.fixture(scope="module")
def programs(python):
    return compiled_by(Path(python), PROGRAMS)


@pytest.fixture
def python3(python, request):
    if request.node.callspec.params["python"].startswith("2"):
        pytest.skip("only Python 3 can tell")
    return python
