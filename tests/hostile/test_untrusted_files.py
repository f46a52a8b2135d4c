"""What the server's user leaves in a run's directory is hostile: the site's code runs as that user."""

import json
import os
import stat
from pathlib import Path

import pytest
from build import PROCESS

from harness.hosting import events, listener, untrusted
from harness.inside.probe import CHUNK
from harness.load.exchange import proof_of

pytestmark = pytest.mark.hostile
ME = os.geteuid()


@pytest.fixture
def secret(tmp_path):
    """A file that the site may not read."""
    path = tmp_path / "secret"
    path.write_text("hunter2")
    return path


class TestReading:
    def test_regular_file(self, tmp_path):
        """A file of the right owner is read."""
        (tmp_path / "answer").write_bytes(b"{}")
        assert b"{}" == untrusted.read(tmp_path / "answer", ME)
        assert b"{}" == untrusted.read(tmp_path / "answer", None)

    def test_link(self, tmp_path, secret):
        """A link is not followed, wherever it leads."""
        (tmp_path / "answer").symlink_to(secret)
        assert untrusted.read(tmp_path / "answer", ME) is None

    def test_pipe(self, tmp_path):
        """A named pipe in a file's place is not waited for."""
        os.mkfifo(tmp_path / "answer")
        assert untrusted.read(tmp_path / "answer", ME) is None

    def test_other_owner(self, tmp_path, secret):
        """A file of another user than the server's is not read."""
        assert untrusted.read(secret, ME + 1) is None

    def test_size(self, tmp_path, monkeypatch):
        """A file larger than any of ours is not read; one of just that size is."""
        monkeypatch.setattr(untrusted, "MAX_BYTES", 4)
        (tmp_path / "answer").write_bytes(b"12345")
        assert untrusted.read(tmp_path / "answer", ME) is None
        (tmp_path / "answer").write_bytes(b"1234")
        assert b"1234" == untrusted.read(tmp_path / "answer", ME)

    @pytest.mark.parametrize("kind", ["file", "link", "directory", "nothing"])
    def test_remove(self, tmp_path, secret, kind):
        """What lies in a file's place is deleted, whatever it is; not what a link leads to."""
        place = tmp_path / "answer"
        match kind:
            case "file":
                place.write_text("x")
            case "link":
                place.symlink_to(secret)
            case "directory":
                (place / "deeper").mkdir(parents=True)
        untrusted.remove(place)
        assert not os.path.lexists(place)
        assert "hunter2" == secret.read_text()

    def test_missing(self, tmp_path):
        """A file that is not there (yet) is told apart from one that is refused."""
        with pytest.raises(FileNotFoundError):
            untrusted.read(tmp_path / "answer", ME)


class TestAsking:
    @pytest.fixture
    def recording(self, tmp_path):
        return tmp_path / "100-5000"

    def test_pipe_replaced_by_link(self, recording, secret, monkeypatch):
        """Where the pipe is a link, nothing is written through it."""
        monkeypatch.setattr(listener, "LISTEN_SECONDS", 0.0)
        recording.with_name("100-5000.ask").symlink_to(secret)
        assert () == listener.stacks(recording, PROCESS, ME)
        assert "hunter2" == secret.read_text()

    def test_pipe_replaced_by_file(self, recording, monkeypatch):
        """Where the pipe is a file, nothing is written into it."""
        monkeypatch.setattr(listener, "LISTEN_SECONDS", 0.0)
        place = recording.with_name("100-5000.ask")
        place.write_text("mine")
        assert () == listener.stacks(recording, PROCESS, ME)
        assert "mine" == place.read_text()

    @pytest.mark.parametrize("text", [b"", b"{", b"[]", b'{"state": 3, "failed": []}', b"\xff\xfe", b"[" * 100_000])
    def test_damaged_answer(self, recording, text, monkeypatch):
        """What is no answer is told as damaged, and is no traceback."""
        monkeypatch.setattr(listener, "ask", lambda *_: text)
        state = listener.state(recording, PROCESS, ME)
        assert {} == state.entries
        assert "damaged" in state.failed[0]
        assert () == listener.stacks(recording, PROCESS, ME)

    def test_directory_for_an_answer(self, recording):
        """A directory where the answer should be is no answer, and is removed."""
        os.mkfifo(recording.with_name("100-5000.ask"))
        listening = os.open(recording.with_name("100-5000.ask"), os.O_RDONLY | os.O_NONBLOCK)
        place = recording.with_name("100-5000.state")
        (place / "deeper").mkdir(parents=True)
        assert listener.ask(recording, "state", ME) is None
        os.close(listening)
        assert not place.exists()


RIGHT = [1.0, 7, "begin", 1, "settings", "shop.settings"]


class TestRecordings:
    @pytest.mark.parametrize(
        "line",
        [
            "[]", "3", "null", '["a", 7, "end", 1, 0, 0]', '[1.0, 7, "begin"]', '[1.0, 7, "begin", "x", 3, []]',
            '[1.0, 7, "boot", {}]', '[1.0, 7, "boot", []]', '[1.0, null, "again", "x"]', '[1.0, 7, "unheard"]',
            '[1.0, 7, ["end"], 1]', '[1.0, 7, "error", 1, 2, 3]', '[1.0, 7, "disturbed"]', "[1.0",
            '[1.0, 7, "again", 3]', "[" * 60_000,
        ],
    )  # fmt: skip
    def test_garbage_is_lost(self, line):
        """A line that the probe would not write counts as lost, and the others stand."""
        chunk = f"{line}\n{json.dumps(RIGHT)}\n".encode()
        inside = events.parse([chunk + bytes(CHUNK - len(chunk))], PROCESS)
        assert 1 == inside.lost
        assert ["settings"] == [span.kind for span in inside.spans]

    def test_links_are_not_read(self, tmp_path, secret):
        """A recording that was replaced by a link is none."""
        (tmp_path / "100-5000").symlink_to(secret)
        assert events.read(tmp_path / "100-5000", PROCESS, owner=ME) is None

    @pytest.mark.parametrize("content", [b"", b"x", b"[1.0, 7]\n" * 3, b"\0" * 40])
    def test_short_files(self, tmp_path, content):
        """A file that is no recording has no spans, and is no traceback."""
        (tmp_path / "100-5000").write_bytes(content)
        inside = events.read(tmp_path / "100-5000", PROCESS, owner=ME)
        assert inside is None or () == inside.spans


@pytest.mark.parametrize(
    ("process", "count", "known"),
    [("12:34", "1", True), ("garbage", "1", False), ("12:34", "x", False), (":", "", False), ("1:2:3", "1", False)],
)
def test_headers_of_the_site(process, count, known):
    """Headers of the probe's name that are not the probe's are no proof, and no traceback."""
    headers = {"x-harness-process": process, "x-harness-count": count, "vary": "Cookie"}
    assert known == (proof_of(headers)[0] is not None)
    assert {"vary": "Cookie"} == headers


def test_private_directory():
    """Others may not enter a run's directory; the server's user writes in one place of it alone."""
    directory = untrusted.make_private_directory()
    untrusted.make_events_directory(directory / "s0")
    mode = stat.S_IMODE(directory.stat().st_mode)
    written = directory / "s0" / "events"
    assert 0 == mode & 0o007
    assert 0o700 == stat.S_IMODE(written.stat().st_mode)
    if ME == 0:
        assert 0o710 == mode
        assert written.stat().st_uid != 0
    written.rmdir()
    (directory / "s0").rmdir()
    Path(directory).rmdir()
