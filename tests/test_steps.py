"""A build says how it goes on, and ends with all its processes."""

import sys
import time

import pytest

from harness import proc
from harness.errors import InfrastructureError
from harness.runtimes import steps
from harness.runtimes.steps import Build, Progress, elapsed, last_line, quoted


@pytest.fixture
def clock(monkeypatch):
    """A clock that goes on when it is told to."""
    now = [1000.0]
    monkeypatch.setattr(steps.time, "monotonic", lambda: now[0])

    def forward(seconds):
        now[0] += seconds

    return forward


class TestProgress:
    def test_without_terminal(self, clock, tmp_path):
        """Without a terminal there is a line a minute: what, for how long, and the last line of the log."""
        (tmp_path / "log").write_text("configuring\nchecking for epoll... yes\n\n")
        lines = []
        with Progress("pip", tmp_path / "log", lines.append) as progress:
            for _ in range(130):
                clock(1)
                progress.tick()

        assert ["pip: 1 min 00 s: checking for epoll... yes", "pip: 2 min 00 s: checking for epoll... yes"] == lines

    def test_on_terminal(self, clock, tmp_path, monkeypatch, capsys):
        """On a terminal there is one line that is written anew each second, never wider than the terminal; it goes."""
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "40")
        (tmp_path / "log").write_text("x" * 5000)
        lines = []
        with Progress("pip", tmp_path / "log", lines.append) as progress:
            for _ in range(6):
                clock(0.5)
                progress.tick()

        *shown, end = capsys.readouterr().err.split("\r\x1b[K")[1:]
        assert ["pip: 1 s", "pip: 2 s", "pip: 3 s"] == [line[:8] for line in shown]
        assert {39} == set(map(len, shown))
        assert "" == end
        assert [] == lines

    def test_quick(self, clock, tmp_path, capsys):
        """What is over at once says nothing."""
        with Progress("pip", tmp_path / "log", pytest.fail) as progress:
            progress.tick()

        assert "" == capsys.readouterr().err


@pytest.mark.parametrize(("seconds", "expected"), [(0.9, "0 s"), (59, "59 s"), (187.5, "3 min 07 s")])
def test_elapsed(seconds, expected):
    assert expected == elapsed(seconds)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", ""),
        (b"one\ntwo\n \n", "two"),
        (b"\x1b[31mred\n", "\\x1b[31mred"),
        (b"gcc " + b"-I/x " * 1000 + b"-c props.c", "-c props.c"),
        (b"bad \xff byte", "bad \ufffd byte"),
    ],
)
def test_last_line(tmp_path, content, expected):
    """Fit for a terminal: short, without control characters; of a compiler's line its end, which names the file."""
    (tmp_path / "log").write_bytes(content)

    assert last_line(tmp_path / "log").endswith(expected)
    assert len(last_line(tmp_path / "log")) <= steps.SHOWN_CHARACTERS


def test_cause_far_up():
    """The first line that says what was wrong is quoted, wherever it stands; a probe of configure is none."""
    noise = [f"line {number}" for number in range(50)]
    cause = "mod_wsgi.h:3:10: fatal error: Python.h: No such file or directory"

    said = quoted(["checking for foo.h... not found", cause, *noise])

    assert cause == said.splitlines()[0]
    assert "line 49" == said.splitlines()[-1].strip()
    assert 1 + steps.LOG_LINES == len(said.splitlines())


class TestBuild:
    def test_environment(self, tmp_path):
        """Variables can be set for the commands, and taken away; stdin is empty."""
        build = Build(tmp_path / "log", environment={"APXS": None, "MAKEFLAGS": "-j9"})
        build.step("sh", "-c", 'echo "${APXS-unset} $MAKEFLAGS"; cat')

        assert "unset -j9" == last_line(tmp_path / "log")

    def test_hint(self, tmp_path):
        """A word of the failing log leads to the command that installs what is missing."""
        build = Build(tmp_path / "log", {"Python.h": "apt install python3-dev"})

        with pytest.raises(InfrastructureError, match=r"Hint: apt install python3-dev$"):
            build.step("sh", "-c", "echo fatal error: Python.h: No such file; seq 50; exit 1")

    def test_nothing_left(self, tmp_path):
        """What a command leaves running is ended with it."""
        Build(tmp_path / "log").step("sh", "-c", f"sleep 60 & echo $! >{tmp_path}/pid")

        assert_ends(int((tmp_path / "pid").read_text()))

    def test_interrupted(self, tmp_path, monkeypatch):
        """So is a command whose wait is interrupted, with its children."""

        def interrupt(_):
            if (tmp_path / "pid").exists():
                raise KeyboardInterrupt

        monkeypatch.setattr(Progress, "tick", interrupt)
        with pytest.raises(KeyboardInterrupt):
            Build(tmp_path / "log").step(
                "sh", "-c", f"sleep 60 & echo $! >{tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait"
            )

        assert_ends(int((tmp_path / "pid").read_text()))


def assert_ends(pid):
    """A process that was killed may take a moment to be gone."""
    deadline = time.monotonic() + 20
    while proc.identify(pid) is not None:
        assert time.monotonic() < deadline
        time.sleep(0.05)
