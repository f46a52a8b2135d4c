"""A run's files are its user's alone, and nobody else has a say in where they are written."""

import os
import stat

import pytest
from build import make_case, make_control, make_trial

from harness.errors import BadInput
from harness.load.client import LocustClient
from harness.report.page import write_page
from harness.store import runs
from harness.store.history import HistoryWriter

pytestmark = pytest.mark.hostile


@pytest.fixture(params=[0o000, 0o022])
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(top):
    """The permissions of everything below a directory, and its own, by name."""
    return {path.name: stat.S_IMODE(path.stat().st_mode) for path in (top, *top.rglob("*"))}


def test_under_any_umask(tmp_path, umask):
    """Directories 0700, files 0600; the directory of all runs may be read by others, and written by nobody else."""
    directory = runs.make_run_directory(tmp_path / "results", runs.CASES)
    with HistoryWriter(directory / runs.CASES / "a.jsonl", make_case()) as history:
        history.add(make_control())
        history.add(make_trial())
    runs.write_whole(directory / runs.RESULT_FILE, b"{}", "the result")
    write_page(directory / "report.html", "<p>")
    with LocustClient(1, directory / "locust.log"):
        pass
    assert {directory.name: 0o700, "cases": 0o700} | dict.fromkeys(
        ("a.jsonl", "result.json", "report.html", "locust.log"), 0o600
    ) == modes(directory)
    assert 0 == stat.S_IMODE((tmp_path / "results").stat().st_mode) & 0o022


def test_baselines_are_shared(tmp_path):
    """What is committed has the mode that the umask gives, not that of a secret."""
    before = os.umask(0o022)
    try:
        path = runs.write_whole(tmp_path / "a.json", b"{}", "the baseline", shared=True)
    finally:
        os.umask(before)
    assert 0o644 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("trap", ["directory", "link", "dangling"])
def test_name_that_is_taken(tmp_path, monkeypatch, trap):
    """A directory or link that somebody has put under the name of the next run is not used."""
    names = iter(("guessed", "other"))
    monkeypatch.setattr(runs, "new_run_name", lambda: next(names))
    elsewhere = tmp_path / "elsewhere"
    results = tmp_path / "results"
    results.mkdir()
    if trap == "directory":
        (results / "guessed").mkdir(mode=0o777)
    else:
        if trap == "link":
            elsewhere.mkdir()
        (results / "guessed").symlink_to(elsewhere)
    assert "other" == runs.make_run_directory(results, runs.CASES).name
    assert not list((results / "guessed").glob("*"))
    assert trap == "link" or not elsewhere.exists()


def test_all_names_are_taken(tmp_path, monkeypatch):
    """Somebody who takes every name cannot make it wait."""
    monkeypatch.setattr(runs, "new_run_name", lambda: "guessed")
    (tmp_path / "guessed").mkdir()
    with pytest.raises(BadInput, match="no name is free"):
        runs.make_run_directory(tmp_path)


@pytest.mark.parametrize(("mode", "refused"), [(0o777, True), (0o1777, False), (0o775, False), (0o755, False)])
def test_results_that_all_may_write(tmp_path, mode, refused):
    """Where every user may rename what is there, nothing is written; in a sticky directory such as /tmp nobody may."""
    results = tmp_path / "results"
    results.mkdir()
    results.chmod(mode)
    if not refused:
        assert runs.make_run_directory(results).is_dir()
        return
    with pytest.raises(BadInput, match="every user of this machine may write there"):
        runs.make_run_directory(results)
    assert [] == list(results.iterdir())


def test_link_in_place_of_a_file(tmp_path):
    """A file of a run is never another file through a link."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    directory = runs.make_run_directory(tmp_path / "results")
    for name in ("result.json", ".result.json.part"):
        (directory / name).symlink_to(secret)
    runs.write_whole(directory / "result.json", b"{}", "the result")
    assert "mine" == secret.read_text()
    (directory / "a.jsonl").symlink_to(secret)
    with pytest.raises(BadInput, match="cannot be written"):
        HistoryWriter(directory / "a.jsonl", make_case())
