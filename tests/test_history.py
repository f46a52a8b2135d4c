"""A history gives back what was put in, and says where it is damaged."""

import resource

import pytest
from build import (
    PAGE,
    make_answer,
    make_case,
    make_control,
    make_expectation,
    make_inside,
    make_log,
    make_mishap,
    make_request_span,
    make_span,
    make_trial,
)

from harness.errors import BadInput, InfrastructureError
from harness.store.history import HistoryWriter, read, read_case, read_end
from harness.store.runs import write_whole

LONG = PAGE * 3
CONTROL = make_control(make_answer(body=LONG), log=make_log("a line"))
TRIAL = make_trial(
    make_answer(0, body=LONG),
    make_answer(1),
    follow_up=(make_answer(2, body=LONG),),
    inside=(make_inside(make_request_span(), make_span(end=None), mishaps=(make_mishap("ValueError: é"),)),),
)
NOT_UTF_8 = b'{"type":"body","digest":"a","text":"\xff"}\n'


@pytest.fixture
def path(tmp_path):
    """A history of one control and two trials."""
    return write(tmp_path / "new" / "case.jsonl", CONTROL, TRIAL, make_trial(number=2))


def write(path, *records, case=None):
    with HistoryWriter(path, case or make_case()) as history:
        for each in records:
            history.add(each)
    return path


def unfinished(path):
    """The history as a kill would leave it: without the line that says how it ended."""
    return b"".join(path.read_bytes().splitlines(keepends=True)[:-1])


def edit(path, number, line):
    """Replace line `number`, counted from 1."""
    lines = path.read_bytes().splitlines(keepends=True)
    lines[number - 1] = line
    path.write_bytes(b"".join(lines))


class TestRoundTrip:
    def test_records(self, path):
        """Controls and trials come back in order, equal to what was added."""
        assert [CONTROL, TRIAL, make_trial(number=2)] == list(read(path))

    @pytest.mark.parametrize("expectation", [None, make_expectation(["hazard", "clean"], modes=["daemon"])])
    def test_case(self, tmp_path, expectation):
        """The case comes back equal, with its expectation."""
        case = make_case(expectation=expectation, environment={"A": "é"})

        assert case == read_case(write(tmp_path / "case.jsonl", case=case))

    def test_flushed(self, tmp_path):
        """What was added can be read before the history is closed."""
        with HistoryWriter(tmp_path / "case.jsonl", make_case()) as history:
            history.add(CONTROL)

            assert [CONTROL] == list(read(tmp_path / "case.jsonl"))


class TestBodies:
    def test_shared(self, path):
        """A long body that three answers share is written once."""
        assert 1 == path.read_bytes().count(LONG.encode())
        assert 3 == sum(each.body == LONG for r in read(path) for each in (*r.answers, *getattr(r, "follow_up", ())))

    def test_two(self, tmp_path):
        """Two long bodies that differ at the end are kept apart."""
        control = make_control(make_answer(0, body=LONG + "1"), make_answer(1, body=LONG + "2"))

        assert [control] == list(read(write(tmp_path / "case.jsonl", control)))

    @pytest.mark.parametrize("size", [1, 2, 3, 12])
    def test_forgotten(self, tmp_path, monkeypatch, size):
        """Bodies come back though more were written than the writer remembers."""
        monkeypatch.setattr("harness.store.history._MAX_KNOWN", 2)
        answers = [make_answer(user, body=f"{user % 4} {LONG}") for user in range(12)]
        controls = [make_control(*answers[begin : begin + size]) for begin in range(0, 12, size)]
        path = write(tmp_path / "case.jsonl", *controls)

        assert controls == list(read(path))
        assert min(4, size) * (12 // size) == path.read_bytes().count(b'{"type":"body"')

    def test_known_before(self, tmp_path, monkeypatch):
        """So do those that a record shares with one before, though it made the writer forget."""
        monkeypatch.setattr("harness.store.history._MAX_KNOWN", 2)
        first = make_control(make_answer(0, body=f"0 {LONG}"), make_answer(1, body=f"1 {LONG}"))
        second = make_control(make_answer(0, body=f"1 {LONG}"), make_answer(1, body=f"2 {LONG}"))

        assert [first, second] == list(read(write(tmp_path / "case.jsonl", first, second)))


class TestDamage:
    def test_cut_last_line(self, path):
        """A last line cut short by a kill is passed over."""
        path.write_bytes(unfinished(path)[:-20])

        assert [CONTROL, TRIAL] == list(read(path))

    def test_whole_last_line(self, path):
        """A last line that lacks nothing but its end may be cut too, and is passed over."""
        path.write_bytes(unfinished(path)[:-1])

        assert [CONTROL, TRIAL] == list(read(path))

    @pytest.mark.parametrize(
        "line",
        [b'{"type":"trial","num\n', b"\n", b'{"type":"other"}\n', b'{"type":"trial","number":"one"}\n', NOT_UTF_8],
        ids=["cut", "empty", "other", "field", "encoding"],
    )
    def test_middle_line(self, path, line):
        """A damaged line in the middle is named with its number."""
        edit(path, 3, line)

        with pytest.raises(BadInput) as caught:
            list(read(path))
        assert str(caught.value).startswith(f"{path}:3: not a line of a history: ")

    def test_before_the_damage(self, path):
        """What stands before the damage is read."""
        edit(path, 4, b"no\n")
        records = read(path)

        assert CONTROL == next(records)

    @pytest.mark.parametrize("text", [b"", b'{"type":"case"', b'{"type":"body","digest":"a","text":"b"}\n'])
    def test_no_case(self, tmp_path, text):
        """A file that does not begin with its case is not a history."""
        (tmp_path / "case.jsonl").write_bytes(text)

        with pytest.raises(BadInput, match="not a history"):
            read_case(tmp_path / "case.jsonl")

    def test_other_case(self, path):
        """A case with a key that is missing or unknown (another version's) is bad input, with its file."""
        edit(path, 1, b'{"type":"case","case":{"id":"x"}}\n')

        with pytest.raises(BadInput, match=str(path)):
            read_case(path)

    @pytest.mark.parametrize("change", [(b'"seed":', b'"sead":'), (b'"mode":"daemon"', b'"mode":"deamon"')])
    def test_changed_case(self, path, change):
        """So is one with a key that is misspelt or a word that is not allowed."""
        before = path.read_bytes()
        path.write_bytes(before.replace(*change, 1))

        assert before != path.read_bytes()
        with pytest.raises(BadInput, match=f"{path}: its case was written by another version"):
            read_case(path)

    def test_missing(self, tmp_path):
        """A file that is not there is bad input."""
        with pytest.raises(BadInput, match=r"none\.jsonl: cannot be read: No such file"):
            list(read(tmp_path / "none.jsonl"))


class TestEnd:
    def test_complete(self, path):
        """A block that comes to its end leaves a history that says so."""
        assert "complete" == read_end(path).how

    def test_killed(self, path):
        """A history that was killed does not say how it ended."""
        path.write_bytes(unfinished(path))
        assert read_end(path) is None

    @pytest.mark.parametrize(
        ("error", "how", "reason"),
        [
            (KeyboardInterrupt(), "stopped", ""),
            (InfrastructureError("no server\nfor you"), "failed", "no server\nfor you"),
            (ZeroDivisionError("by 0"), "failed", "ZeroDivisionError: by 0"),
            (MemoryError('"' * 100_000), "failed", "MemoryError: " + '"' * 7987),
        ],
        ids=["ctrl-c", "infrastructure", "unforeseen", "long"],
    )
    def test_error(self, tmp_path, error, how, reason):
        """An error that ends it is its end, with its sentence."""
        with pytest.raises(type(error)), HistoryWriter(tmp_path / "case.jsonl", make_case()) as history:
            history.add(CONTROL)
            raise error

        end = read_end(tmp_path / "case.jsonl")
        assert (how, reason) == (end.how, end.reason)
        assert [CONTROL] == list(read(tmp_path / "case.jsonl"))

    def test_once(self, tmp_path):
        """What was said first is kept: Ctrl-C, and then a host that does not end."""
        with pytest.raises(InfrastructureError), HistoryWriter(tmp_path / "case.jsonl", make_case()) as history:
            history.end("stopped")
            raise InfrastructureError("it does not end")

        assert "stopped" == read_end(tmp_path / "case.jsonl").how


class TestFullDisk:
    @pytest.fixture
    def small_files(self):
        """No file of this process may grow beyond 20 kB."""
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
        yield
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    def test_whole_lines(self, tmp_path, small_files):
        """A record that does not fit is an infrastructure's failure; what was there is whole, and nothing follows."""
        path = tmp_path / "case.jsonl"
        large = make_control(make_answer(body="x" * 30_000))
        with (
            pytest.raises(InfrastructureError, match="raise the limit of file sizes"),
            HistoryWriter(path, make_case()) as history,
        ):
            history.add(CONTROL)
            with pytest.raises(InfrastructureError, match=f"{path}: the history cannot be written"):
                history.add(large)
            history.add(CONTROL)

        assert [CONTROL] == list(read(path))
        assert path.read_bytes().endswith(b"\n")

    def test_whole_file(self, tmp_path, small_files):
        """A file that is written whole leaves nothing of itself where it does not fit, and what it replaces stays."""
        write_whole(tmp_path / "file", b"old", "the file")
        with pytest.raises(InfrastructureError, match="the file cannot be written: a file may not grow further"):
            write_whole(tmp_path / "file", b"x" * 30_000, "the file")

        assert [tmp_path / "file"] == list(tmp_path.iterdir())
        assert b"old" == (tmp_path / "file").read_bytes()


class TestUnwritable:
    def test_directory(self, tmp_path):
        """A place where no directory can be made is bad input."""
        (tmp_path / "file").touch()

        with pytest.raises(BadInput, match="the history cannot be written"):
            HistoryWriter(tmp_path / "file" / "case.jsonl", make_case())

    def test_exists(self, path):
        """A history is never written over."""
        before = path.read_bytes()

        with pytest.raises(BadInput, match="the history cannot be written: File exists"):
            HistoryWriter(path, make_case())
        assert before == path.read_bytes()
