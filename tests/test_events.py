"""A recording is read as far as it was written, wherever the writing stopped."""

import json
import time

import pytest
from build import PROCESS

from harness.hosting import events
from harness.hosting.events import parse
from harness.inside.probe import CHUNK


def chunk(*lines, rest=b""):
    """A thread's piece: whole lines, what of one more was written, and zero bytes."""
    text = b"".join(json.dumps(line).encode() + b"\n" for line in lines) + rest
    return text.ljust(CHUNK, b"\0")


def begin(at, span, kind="request", name="1.0", thread=7):
    return [at, thread, "begin", span, kind, name]


def end(at, span, failed=0, nested=0, thread=7):
    return [at, thread, "end", span, failed, nested]


def spans(*chunks):
    return [(span.name, span.begin, span.end) for span in parse(chunks, PROCESS).spans]


class TestParse:
    @pytest.mark.parametrize(
        "rest", [b"", b"[", b'[3.0,7,"begin",2,"request","1.1"', b'[3.0,7,"begin",2,"request","1.1"]']
    )
    def test_half_a_line(self, rest):
        """A line that was still being written is passed over."""
        piece = chunk(begin(1.0, 1), end(2.0, 1), rest=rest)

        assert [("1.0", 1.0, 2.0)] == spans(piece)
        assert 0 == parse([piece], PROCESS).lost

    @pytest.mark.parametrize("line", [b"[3.0,", b'[3.0,7,"error","\xff","",""]', rb'["\udce9"]'])
    def test_damaged(self, line):
        """A whole line that cannot be read is lost, and counted; those around it are not."""
        piece = chunk(begin(1.0, 1), rest=line + b"\n" + json.dumps(end(2.0, 1)).encode() + b"\n")
        found = parse([piece, piece], PROCESS, lost=3)

        assert ("1.0", 1.0, 2.0) == spans(piece)[0]
        assert 5 == found.lost

    def test_two_pieces(self):
        """A span that one piece begins and another ends is one span."""
        assert [("1.0", 1.0, 2.0)] == spans(chunk(end(2.0, 1)), chunk(begin(1.0, 1)))

    def test_open(self):
        """A span that nothing ended is open."""
        assert [("1.0", 1.0, None)] == spans(chunk(begin(1.0, 1)))

    def test_full_piece(self):
        """A piece that is full to its last byte but one keeps its last line."""
        name = "x" * (CHUNK - 1 - len(json.dumps(begin(1.0, 1, name=""))) - 1)
        piece = chunk(begin(1.0, 1, name=name))

        assert (CHUNK, 0) == (len(piece), piece[-1])
        assert [(name, 1.0, None)] == spans(piece)

    def test_wall_clock(self):
        """Times of a Python without a monotonic clock are shifted to it."""
        boot = [time.time(), 7, "boot", {"python": "2.7.18", "monotonic": 0, "wall": 0.0}]
        ((_, began, _),) = spans(chunk(boot, begin(time.time(), 1)))

        assert pytest.approx(time.monotonic(), abs=0.5) == began

    def test_monotonic_clock(self):
        """Those of one with it are as they are."""
        boot = [1.0, 7, "boot", {"python": "3.12.1", "monotonic": 1, "wall": 0.0}]

        assert [("1.0", 1.0, None)] == spans(chunk(boot, begin(1.0, 1)))


class TestScript:
    SCRIPT = begin(1.0, 1, "script", "site.wsgi")

    def test_ends(self):
        """The script's span ends when the next request on its thread begins."""
        found = spans(chunk(self.SCRIPT, begin(2.0, 2), begin(3.0, 3, name="1.1")))

        assert ("site.wsgi", 1.0, 2.0) == found[0]

    def test_other_thread(self):
        """... and not when one on another thread does."""
        assert ("site.wsgi", 1.0, None) == spans(chunk(self.SCRIPT, begin(2.0, 2, thread=8)))[0]


class TestRead:
    def test_missing(self, tmp_path):
        """Where there is no recording there is none, and no error."""
        assert events.read(tmp_path / "none", PROCESS) is None

    def test_sparse(self, tmp_path):
        """Reading stops at the first piece that was never handed out."""
        pieces = [chunk(begin(1.0, 1)), chunk(begin(2.0, 2, name="1.1")), chunk(), chunk(begin(3.0, 3))]
        (tmp_path / "one").write_bytes(b"".join(pieces))

        assert ["1.0", "1.1"] == [span.name for span in events.read(tmp_path / "one", PROCESS).spans]

    def written(self, tmp_path, end):
        """A file of two pieces, of which the second ends with `end`."""
        (tmp_path / "one").write_bytes(chunk(begin(1.0, 1), begin(3.0, 2, name="2.0")) + end.rjust(CHUNK, b"\0"))
        return tmp_path / "one"

    @pytest.mark.parametrize(("expected", "end"), [(0, b""), (7, b"%12d" % 7), (10**11, b"%12d" % 10**11)])
    def test_lost(self, tmp_path, expected, end):
        """What the probe itself could not write is counted at the end of the file."""
        assert expected == events.read(self.written(tmp_path, end), PROCESS).lost

    def test_since(self, tmp_path):
        """It can be read from a moment on; what was lost counts whenever it was."""
        found = events.read(self.written(tmp_path, b"%12d" % 7), PROCESS, since=2.0)

        assert (["2.0"], 7) == ([span.name for span in found.spans], found.lost)

    @pytest.mark.parametrize("size", [0, 5])
    def test_too_short(self, tmp_path, size):
        """A file that has not got its size yet holds no recording."""
        (tmp_path / "one").write_bytes(b"\0" * size)

        assert events.read(tmp_path / "one", PROCESS) is None


class TestSince:
    """Of a process that has served before, what one trial saw of it."""

    def later(self, *lines, since=2.0):
        return parse([chunk(*lines)], PROCESS, since=since)

    def test_spans(self):
        """Spans that began before the moment are left out, even if they ended after it."""
        found = self.later(begin(1.0, 1), begin(1.9, 2, name="1.1"), end(2.5, 2), begin(2.0, 3, name="2.0"))

        assert ["2.0"] == [span.name for span in found.spans]

    def test_mishaps(self):
        """So are errors."""
        found = self.later([1.0, 7, "error", "1.0", "KeyError: a", "-"], [3.0, 7, "error", "2.0", "KeyError: b", "-"])

        assert ["2.0"] == [mishap.request for mishap in found.mishaps]

    def test_wall_clock(self):
        """The moment is of the monotonic clock, whatever clock the process has."""
        moment, wall = time.monotonic(), time.time()
        boot = [wall - 100, 7, "boot", {"python": "2.7.18", "monotonic": 0, "wall": 0.0}]
        found = self.later(boot, begin(wall - 50, 1), begin(wall + 50, 2, name="2.0"), since=moment)

        assert ["2.0"] == [span.name for span in found.spans]

    def test_executed_again(self):
        """So are modules that were executed again before it: another trial has told of them."""
        assert ("b",) == self.later([1.0, 7, "again", "a"], [3.0, 7, "again", "b"]).executed_again
