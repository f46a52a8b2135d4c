"""However a command ends, it says one sentence, and only a judgement ends with exit code 1."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from harness.cli.guard import GuardedGroup
from harness.errors import BadInput, InfrastructureError

RACE = 1


def end_with(error):
    """A command of which nothing is left but its end."""

    @click.group(cls=GuardedGroup)
    def group():
        pass

    @group.command()
    def command():
        if isinstance(error, int):
            click.get_current_context().exit(error)
        raise error

    return CliRunner().invoke(group, ["command"])


@pytest.mark.parametrize("code", [0, RACE, 2, 3])
def test_result(code):
    """The exit code that a command chose is kept, and nothing is said."""
    done = end_with(code)
    assert (code, "") == (done.exit_code, done.output)


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (BadInput("no such file"), 2, "harness: no such file\n"),
        (InfrastructureError("the server is gone"), 3, "harness: the server is gone\n"),
        (KeyboardInterrupt(), 3, "harness: interrupted; nothing is left running\n"),
        (click.Abort(), 3, "harness: interrupted; nothing is left running\n"),
        (click.FileError("x", "gone"), 2, "Error: Could not open file 'x': gone\n"),
        (click.UsageError("what?"), 2, "Usage: "),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 3, "harness: the harness itself failed (BrokenPipeError"),
        (OSError(errno.EMFILE, "Too many open files", "/x"), 3, "harness: /x: too many open files: raise the limit"),
        (OSError(errno.ENOSPC, "No space left"), 3, "harness: no space is left: make room on that disk"),
        (MemoryError(), 3, "harness: out of memory: raise the limit of memory"),
    ],
    ids=repr,
)
def test_error(error, code, sentence):
    """An error is one sentence, without a traceback, and its exit code is not that of a race."""
    done = end_with(error)
    assert code == done.exit_code
    assert sentence in done.output
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    "error", [ValueError("strange\nvery"), RecursionError("deep"), OSError(errno.ENXIO, "?"), KeyError()]
)
def test_unforeseen(error, tmp_path, monkeypatch):
    """An error that nobody foresaw is the harness's own: its type, its first line, and a file with its traceback."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    done = end_with(error)
    (kept,) = tmp_path.iterdir()

    assert 3 == done.exit_code
    assert f"harness: the harness itself failed ({type(error).__name__}" in done.output
    assert "says nothing about the site" in done.output
    assert str(kept) in done.output
    assert "very" not in done.output
    assert "Traceback" in kept.read_text()


def test_traceback_without_a_place(monkeypatch):
    """Where no file can be written, the sentence says where the error was raised."""
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    done = end_with(ValueError("strange"))

    assert 3 == done.exit_code
    assert "It was raised at test_guard.py:" in done.output


def harness(*arguments, **streams):
    command = [sys.executable, "-m", "harness.cli", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, timeout=60, check=False, **streams)


@pytest.mark.parametrize(
    "fault", ["MemoryError()", "OSError(24, 'Too many open files')", "ImportError('libx.so: failed to map segment')"]
)
def test_cannot_be_loaded(tmp_path, fault):
    """Where its own modules cannot be loaded, that is one sentence and exit code 3 too."""
    (tmp_path / "jinja2.py").write_text(f"raise {fault}")
    done = harness("schema", stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tmp_path)})
    assert (3, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith(f"harness: it cannot be loaded ({fault.partition('(')[0]}")
    assert 1 == done.stderr.count("\n")


@pytest.mark.parametrize("arguments", [["schema"], ["--help"], ["runs", "--help"]], ids=" ".join)
class TestOutput:
    def test_full(self, arguments):
        """Output that cannot be written is told, with exit code 3."""
        with Path("/dev/full").open("w") as full:
            done = harness(*arguments, stdout=full)
        assert 3 == done.returncode
        assert done.stderr.startswith("harness: the output cannot be written any more: no space is left")
        assert 1 == done.stderr.count("\n")

    def test_closed_pipe(self, arguments):
        """So is a pipe whose reader has gone: not exit code 1, as click has it."""
        reader, writer = os.pipe()
        os.close(reader)
        done = harness(*arguments, stdout=writer)
        os.close(writer)
        assert 3 == done.returncode
        assert done.stderr.startswith("harness: the output cannot be written any more: its reader has gone")

    def test_nobody_listens(self, arguments):
        """A closed standard output is as /dev/null."""
        done = harness(*arguments, preexec_fn=lambda: os.close(1))
        assert (0, "") == (done.returncode, done.stderr)
