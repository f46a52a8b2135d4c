"""What a run needs of the machine is looked at before it starts, and named where it is short."""

import resource
import socket
from pathlib import Path

import pytest
from build import make_case

from harness.errors import InfrastructureError
from harness.hosting import capacity
from harness.hosting.capacity import check_loopback, check_room, check_space, check_tasks

MANY = resource.RLIM_INFINITY


@pytest.fixture
def limit(monkeypatch):
    """Make one limit another one than this process has; all others have no limit."""
    limits = {}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits.get(kind, MANY), MANY))
    return limits.__setitem__


@pytest.mark.parametrize(
    ("kind", "low", "enough", "sentence"),
    [
        (
            resource.RLIMIT_NOFILE,
            187,
            188,
            "the limit of open files is 187, and this run needs 188: raise it (ulim",
        ),
        (resource.RLIMIT_FSIZE, 2**20, 2**30, "the limit of file size is 1024, and this run needs 16384: raise it"),
        (resource.RLIMIT_AS, 2**28, 2**40, "the limit of memory is 262144, and this run needs "),
        (resource.RLIMIT_DATA, 2**28, 2**40, "the limit of data is "),
        (resource.RLIMIT_CPU, 10, 3600, "the limit of CPU time is 10, and this run needs 600: raise it (ulimit -t"),
    ],
)
def test_limits(limit, tmp_path, kind, low, enough, sentence):
    """A limit that is too low is named with the command that raises it; one that is not says nothing."""
    limit(kind, low)
    with pytest.raises(InfrastructureError) as caught:
        check_room(tmp_path, 30)
    assert str(caught.value).startswith(sentence)
    limit(kind, enough)
    check_room(tmp_path, 30)


def test_tasks(limit, monkeypatch):
    """The limit of processes counts what the user has already."""
    monkeypatch.setattr(capacity, "_cgroup_room", lambda: None)
    monkeypatch.setattr(capacity, "_tasks_of", lambda uid: iter([100, 50]))
    case = make_case(threads=15, processes=1)
    needed = 2 * (15 + capacity.SPARE_THREADS) + 46 + capacity.OWN_TASKS
    limit(resource.RLIMIT_NPROC, needed + 149)
    with pytest.raises(InfrastructureError, match=f"needs {needed} processes and threads .* and {needed - 1} more"):
        check_tasks(case, 2, 46, "nobody")
    limit(resource.RLIMIT_NPROC, needed + 150)
    check_tasks(case, 2, 46, "nobody")


def test_control_group(limit, monkeypatch):
    """So does the limit of a container."""
    monkeypatch.setattr(capacity, "_cgroup_room", lambda: 10)
    with pytest.raises(InfrastructureError, match="and 10 more can be made"):
        check_tasks(make_case(), 2, 46, "")


@pytest.mark.parametrize("place", ["", "not/there/yet"])
def test_space(tmp_path, monkeypatch, place):
    """Room is looked for on the disk of a directory that may be missing still."""
    monkeypatch.setattr(capacity, "free_bytes", lambda path: 3 * 2**20)
    with pytest.raises(InfrastructureError, match=r"3 MiB are free there, and a run needs 16: .* \(--results\)"):
        check_space(tmp_path / place, 16 * 2**20, "--results")
    check_space(tmp_path / place, 3 * 2**20, "--results")


def test_free_bytes(tmp_path):
    """The kernel's own figure; nothing is known of a directory that is not there."""
    assert 0 < capacity.free_bytes(tmp_path)
    assert capacity.free_bytes(Path("/not/there")) is None


@pytest.mark.parametrize("number", [101, 99, 1])
def test_loopback(monkeypatch, number):
    """A loopback that is down is no site that is broken."""
    check_loopback()

    def fail(*_):
        raise OSError(number, "no way")

    monkeypatch.setattr(socket, "create_connection", fail)
    with pytest.raises(InfrastructureError, match="nothing can be measured here: "):
        check_loopback()
