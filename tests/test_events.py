"""A recording is read as far as it was written, wherever the writing stopped."""

import json
import time

import pytest
from build import PROCESS

from harness.hosting import events
from harness.hosting.events import parse
from harness.inside.probe import CHUNK


def chunk(*lines, rest=b""):
    """A thread's chunk: whole lines, the beginning of another one, and zero bytes."""
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
        """A line that was still being written is ignored."""
        piece = chunk(begin(1.0, 1), end(2.0, 1), rest=rest)

        assert [("1.0", 1.0, 2.0)] == spans(piece)
        assert 0 == parse([piece], PROCESS).lost

    @pytest.mark.parametrize("line", [b"[3.0,", b'[3.0,7,"error","\xff","",""]', rb'["\udce9"]'])
    def test_damaged_line(self, line):
        """A whole line that cannot be read is counted as lost; those around it are read."""
        piece = chunk(begin(1.0, 1), rest=line + b"\n" + json.dumps(end(2.0, 1)).encode() + b"\n")
        recording = parse([piece, piece], PROCESS, lost=3)

        assert ("1.0", 1.0, 2.0) == spans(piece)[0]
        assert 5 == recording.lost

    def test_two_pieces(self):
        """A span that begins in one chunk and ends in another is one span."""
        assert [("1.0", 1.0, 2.0)] == spans(chunk(end(2.0, 1)), chunk(begin(1.0, 1)))

    def test_open_span(self):
        """A span without an end is open."""
        assert [("1.0", 1.0, None)] == spans(chunk(begin(1.0, 1)))

    def test_full_piece(self):
        """The last line of a chunk that is full but for one byte is read."""
        name = "x" * (CHUNK - 1 - len(json.dumps(begin(1.0, 1, name=""))) - 1)
        piece = chunk(begin(1.0, 1, name=name))

        assert (CHUNK, 0) == (len(piece), piece[-1])
        assert [(name, 1.0, None)] == spans(piece)

    def test_wall_clock(self):
        """Times of a Python without a monotonic clock are converted to it."""
        boot = [time.time(), 7, "boot", {"python": "2.7.18", "monotonic": 0, "wall": 0.0}]
        ((_, began, _),) = spans(chunk(boot, begin(time.time(), 1)))

        assert pytest.approx(time.monotonic(), abs=0.5) == began

    def test_monotonic_clock(self):
        """Times of a Python with one are unchanged."""
        boot = [1.0, 7, "boot", {"python": "3.12.1", "monotonic": 1, "wall": 0.0}]

        assert [("1.0", 1.0, None)] == spans(chunk(boot, begin(1.0, 1)))


class TestScript:
    SCRIPT = begin(1.0, 1, "script", "site.wsgi")

    def test_end_of_script(self):
        """The script's span ends when the next request on its thread begins."""
        script, *_ = spans(chunk(self.SCRIPT, begin(2.0, 2), begin(3.0, 3, name="1.1")))

        assert ("site.wsgi", 1.0, 2.0) == script

    def test_other_thread(self):
        """... and not when one on another thread begins."""
        assert ("site.wsgi", 1.0, None) == spans(chunk(self.SCRIPT, begin(2.0, 2, thread=8)))[0]


class TestRead:
    def test_missing_file(self, tmp_path):
        """A missing recording is None, and no error."""
        assert events.read(tmp_path / "none", PROCESS) is None

    def test_sparse_file(self, tmp_path):
        """Reading stops at the first chunk that was never handed out."""
        pieces = [chunk(begin(1.0, 1)), chunk(begin(2.0, 2, name="1.1")), chunk(), chunk(begin(3.0, 3))]
        (tmp_path / "one").write_bytes(b"".join(pieces))

        assert ["1.0", "1.1"] == [span.name for span in events.read(tmp_path / "one", PROCESS).spans]

    def written(self, tmp_path, end):
        """A file of two chunks, of which the second ends with `end`."""
        (tmp_path / "one").write_bytes(chunk(begin(1.0, 1), begin(3.0, 2, name="2.0")) + end.rjust(CHUNK, b"\0"))
        return tmp_path / "one"

    @pytest.mark.parametrize(("expected", "end"), [(0, b""), (7, b"%12d" % 7), (10**11, b"%12d" % 10**11)])
    def test_lost_events(self, tmp_path, expected, end):
        """The number of events that the probe could not write is at the end of the file."""
        assert expected == events.read(self.written(tmp_path, end), PROCESS).lost

    def test_since_a_moment(self, tmp_path):
        """A recording can be read from a moment on; lost events count whenever they were lost."""
        recording = events.read(self.written(tmp_path, b"%12d" % 7), PROCESS, since=2.0)

        assert (["2.0"], 7) == ([span.name for span in recording.spans], recording.lost)

    @pytest.mark.parametrize("size", [0, 5])
    def test_too_short(self, tmp_path, size):
        """A file that does not have its full size yet is no recording."""
        (tmp_path / "one").write_bytes(b"\0" * size)

        assert events.read(tmp_path / "one", PROCESS) is None


class TestSince:
    """What one trial saw of a process that has served before."""

    def later(self, *lines, since=2.0):
        return parse([chunk(*lines)], PROCESS, since=since)

    def test_spans_before(self):
        """Spans that began before the moment are left out, even if they ended after it."""
        later = self.later(begin(1.0, 1), begin(1.9, 2, name="1.1"), end(2.5, 2), begin(2.0, 3, name="2.0"))

        assert ["2.0"] == [span.name for span in later.spans]

    def test_mishaps_before(self):
        """Errors before it are left out."""
        later = self.later([1.0, 7, "error", "1.0", "KeyError: a", "-"], [3.0, 7, "error", "2.0", "KeyError: b", "-"])

        assert ["2.0"] == [mishap.request for mishap in later.mishaps]

    def test_wall_clock(self):
        """The moment is on the monotonic clock, whichever clock the process has."""
        moment, wall = time.monotonic(), time.time()
        boot = [wall - 100, 7, "boot", {"python": "2.7.18", "monotonic": 0, "wall": 0.0}]
        later = self.later(boot, begin(wall - 50, 1), begin(wall + 50, 2, name="2.0"), since=moment)

        assert ["2.0"] == [span.name for span in later.spans]

    def test_executed_again(self):
        """Modules executed again before it are left out: an earlier trial has reported them."""
        assert ("b",) == self.later([1.0, 7, "again", "a"], [3.0, 7, "again", "b"]).executed_again
