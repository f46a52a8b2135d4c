"""Files are read within limits of kind, size and depth; what is wrong with one is a sentence."""

import os
import socket

import msgspec
import pytest

from harness.cases.reading import check_file, decode, entries, is_directory, is_file, lines, read_bytes, read_text
from harness.cases.scenario import parse_scenario
from harness.errors import BadInput, HarnessError, listing, nearest, quoted, shortened


@pytest.fixture
def place(tmp_path):
    return tmp_path / "it"


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as server:
        os.chdir(path.parent)
        server.bind(path.name)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (os.mkfifo, "it is a named pipe"),
        (os.mkdir, "it is a directory"),
        (make_socket, "it is a socket"),
        (lambda path: path.symlink_to("/dev/zero"), "it is a device"),
        (lambda path: path.symlink_to("it"), "Too many levels of symbolic links"),
        (lambda path: path.symlink_to("nowhere"), "No such file"),
        (lambda path: path.write_bytes(b"x" * 11), "larger than"),
    ],
)
def test_refused(place, make, sentence, monkeypatch):
    """What is no regular file, or too large, is refused by every reader, with its name; none of them waits."""
    monkeypatch.chdir(place.parent)
    make(place)
    for reads in (lambda: read_bytes(place, 10), lambda: read_text(place, 10), lambda: check_file(place, 10)):
        with pytest.raises(BadInput, match=sentence) as raised:
            reads()
        assert str(raised.value).startswith(f"{place}: ")


def test_read(place):
    """A file of just the size that is allowed is read, a link to one too, with or without a byte order mark."""
    place.write_bytes(b"x" * 10)
    link = place.with_name("link")
    link.symlink_to(place)
    assert b"x" * 10 == read_bytes(link, 10)
    check_file(link, 10)
    place.write_bytes(b"\xef\xbb\xbfa = 1")
    assert "a = 1" == read_text(place)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "\ud800"])
def test_impossible_names(tmp_path, name):
    """A name that no file can have is no file, and one sentence."""
    path = tmp_path / name
    assert not is_file(path)
    assert not is_directory(path)
    assert [] == entries(path)
    with pytest.raises(BadInput):
        read_bytes(path)


def test_lines(place):
    """Lines are numbered; one that was cut short is left out; one without an end is refused."""
    place.write_bytes(b"a\nb\nc")
    assert [(1, b"a\n"), (2, b"b\n")] == list(lines(place))
    place.write_bytes(b"x" * 100)
    with pytest.raises(BadInput, match=":1: a line of more than"):
        list(lines(place, 50))


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b"9" * 5_000, b'{"a', b"\xff", b'"\\ud800"', b"NaN", b"1e400", b""]
)
def test_damaged_json(content):
    """JSON that cannot be a record is one sentence, however it is broken."""
    with pytest.raises(BadInput, match=r"^it: not a number"):
        decode(msgspec.json.Decoder(dict[str, int]), content, "it", "a number")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a." * 50_000 + "a = 1", "a key of more than 20 parts"),
        ('"a".' * 20_000 + "a = 1", "a key of more than 20 parts"),
        ("[" + "a." * 50_000 + "a]", "a key of more than 20 parts"),
        ("a = " + "[" * 20_000, "nested more than 20 deep"),
        ("a = " + "{a = " * 20_000, "nested more than 20 deep"),
        ("a = " + "9" * 5_000, "a number of thousands of digits"),
        ('"' * 100_001, "not valid TOML"),
        ('a = """\\' * 10_000, "not valid TOML"),
        ("".join(f"k{number} = 1\n" for number in range(5_000)), "4995 more mistakes"),
        ("trials = 0x" + "f" * 50_000, "trials: "),
        ("[load]\ntimeout = nan", "load.timeout: "),
        ('scripts = ["a", "b", "a"]', "title: required"),
    ],
)
def test_toml(text, sentence):
    """What tomllib would take minutes for, or end in its recursion, is refused before; a message stays short."""
    with pytest.raises(BadInput, match=sentence) as raised:
        parse_scenario(text, "it.toml")
    assert len(str(raised.value)) <= 2000


@pytest.mark.parametrize("text", ['title = "' + "a." * 50 + '"', "title = '''" + "[" * 50 + "'''", "# " + "a." * 50])
def test_strings_are_no_keys(text):
    """Dots and brackets in strings and comments are no depth."""
    with pytest.raises(BadInput, match="site: required") as raised:
        parse_scenario(text, "it.toml")
    assert "parts" not in str(raised.value)
    assert "deep" not in str(raised.value)


def test_quoted():
    """A value is repeated as Python writes it; of a long one the begin, the end, and its length."""
    assert "'a\\nb'" == quoted("a\nb")
    assert 80 >= len(quoted("x" * 10**6))
    assert "1000002 characters" in quoted("x" * 10**6)
    assert "a number of thousands of digits" == quoted(10**5000)
    assert "abc" == shortened("abc", 3)


def test_suggestions_stay_cheap():
    """Neither a word of a megabyte nor ten thousand names make a long message."""
    assert "" == nearest("x" * 10**6, ["a"])
    assert "; did you mean 'mysite'?" == nearest("mysiet", ["mysite"])
    names = [f"name-{number}" for number in range(10_000)]
    assert " and 9980 more)" in listing("names", names)
    assert len(listing("names", ["x" * 10**6])) < 200


def test_messages_are_short():
    """Whatever is put into an error, its message ends."""
    assert 1800 >= len(str(BadInput("x" * 10**6)))
    assert 6000 >= len(str(HarnessError("\0" * 10**6)))
