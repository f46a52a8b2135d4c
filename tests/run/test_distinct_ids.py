"""Cases of two files, or of two tests, of one name have ids and histories of their own."""

from build import make_case

from harness.run.selection import distinct
from harness.store.history import file_name


def test_same_ids():
    """The second and the third get a number; the first, and one that has an id of its own, stay."""
    cases = [make_case(id=name) for name in ("a::daemon::x", "a::daemon::x", "b::daemon::x", "a::daemon::x")]
    expected = ["a::daemon::x", "a-2::daemon::x", "b::daemon::x", "a-3::daemon::x"]
    assert expected == [case.id for case in distinct(cases)]
    assert ["a-2::daemon::x"] == [case.id for case in distinct(cases[:1], ["a::daemon::x"])]


def test_same_files():
    """Ids that differ only in what no file name can hold do not share a history."""
    cases = [make_case(id="test[a/b]::daemon"), make_case(id="test[a_b]::daemon")]
    assert ["test[a/b]::daemon", "test[a_b]-2::daemon"] == [case.id for case in distinct(cases)]


def test_long_ids():
    """The name of a history fits into a directory, however long the id is, and differs where the ids do."""
    long, other = "x" * 300, "x" * 299 + "é"
    assert len(file_name(f"{long}::daemon").encode()) < 200
    assert file_name(f"{long}::daemon") != file_name(f"{other}::daemon")
    assert "mysite.daemon.default.natural.jsonl" == file_name("mysite::daemon::default::natural")
    assert "/" not in file_name("a/../b\0\n")
    assert "\0" not in file_name("a/../b\0\n")
