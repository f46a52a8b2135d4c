"""What a killed harness has left is removed by the next one, and nothing else."""

import os
import subprocess
import sys
import tempfile

import pytest

from harness import proc
from harness.hosting import leftovers

pytestmark = pytest.mark.faults


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """A machine whose temporary directories are these alone."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(leftovers, "MEMORY", str(tmp_path / "memory"))
    monkeypatch.setattr(leftovers, "_own", set())
    (tmp_path / "memory").mkdir()
    return tmp_path


@pytest.fixture
def dead():
    """The identity of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        return proc.identify(process.pid)


def named(directory, identity):
    """A directory as a harness with that identity makes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(proc, "identify", lambda _: identity)
        return leftovers.make_directory(str(directory))


def test_of_a_dead_harness(temporary, dead):
    """Its directories are removed with what is in them, and one line says so, once."""
    first, second = named(temporary, dead), named(temporary / "memory", dead)
    (first / "events").mkdir()
    (first / "events" / "1-2").write_text("x")
    assert "2 directories that a killed harness had left removed" == leftovers.sweep()
    assert not first.exists()
    assert not second.exists()
    assert "" == leftovers.sweep()


def test_of_a_living_harness(temporary):
    """A directory of a run that goes on stays; so does one whose pid lives, and that of the dead process before it."""
    mine = leftovers.make_directory()
    assert "" == leftovers.sweep()
    assert mine.is_dir()
    me = proc.identify(os.getpid())
    earlier = named(temporary, type(me)(me.pid, me.start - 1))
    assert "a directory that a killed harness had left removed" == leftovers.sweep()
    assert not earlier.exists()
    assert mine.is_dir()


def test_no_link_is_followed(temporary, dead):
    """Neither in place of a directory, nor in it."""
    precious = temporary / "precious"
    precious.mkdir()
    (precious / "file").write_text("x")
    directory = named(temporary, dead)
    link = directory.with_name(directory.name[:-1] + "_")
    link.symlink_to(precious)
    (directory / "inside").symlink_to(precious)
    leftovers.sweep()
    assert not directory.exists()
    assert link.is_symlink()
    assert (precious / "file").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_of_another_user(temporary, dead):
    """Another user's directory stays, whatever its name says."""
    directory = named(temporary, dead)
    os.chown(directory, 12345, 12345)
    assert "" == leftovers.sweep()
    assert directory.is_dir()


@pytest.mark.parametrize("name", ["harness-notes", "harness-1-2-zzzzzz-abc", "harness-1-2-123456-abc", "other"])
def test_of_somebody_else(temporary, name):
    """A directory whose name is not the harness's, or of another container or boot, stays."""
    (temporary / name).mkdir()
    assert "" == leftovers.sweep()
    assert (temporary / name).is_dir()


def test_tidy(temporary):
    """What an interruption has left is removed at the end of the command."""
    directory = leftovers.make_directory()
    leftovers.tidy()
    assert not directory.exists()
