"""The list of stored runs."""

import io

import pytest
from build import CONTROLS, make_case, make_failing_trial, make_trial, store_run
from rich.console import Console

from harness.report.runs import print_runs
from harness.store.runs import stored_runs


def test_newest_first(tmp_path):
    """Runs are listed by when they began, with their cases, verdicts and time."""
    store_run(tmp_path, (make_case(), *CONTROLS, make_trial()), name="20260101-000000-aaaa")
    store_run(tmp_path, (make_case(), *CONTROLS, make_failing_trial()), name="20260102-000000-bbbb")
    newest, oldest = stored_runs(tmp_path)
    assert ("20260102-000000-bbbb", {"race": 1}, 1, 1.5) == (newest.name, newest.verdicts, newest.unmet, newest.seconds)
    assert {"clean": 1} == oldest.verdicts
    assert ("books",) == oldest.scenarios


def test_unfinished(tmp_path):
    """A run that never came to write its result says so, and how many cases it was to have."""
    directory = store_run(tmp_path, (make_case(), *CONTROLS))
    (directory / "result.json").unlink()
    (directory / "run.json").write_text('{"run": "x", "cases": [{"case": "a::b", "seed": 1}, {"case": "c::d"}]}')
    (run,) = stored_runs(tmp_path)
    assert ("unfinished", 2, {}) == (run.status, run.cases, run.verdicts)


def test_damaged(tmp_path):
    """A result that cannot be read does not hide the run or the others."""
    directory = store_run(tmp_path, (make_case(), *CONTROLS), name="renamed by hand")
    (directory / "result.json").write_bytes(b"\xff\x00")
    assert ["renamed by hand"] == [run.name for run in stored_runs(tmp_path)]


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"cases": ' + b"[" * 10_000, b"", b'{"status": 5}'])
def test_damaged_among_others(tmp_path, content):
    """A damaged result is listed as such, whatever is wrong with it, and the others as they are."""
    directory = store_run(tmp_path, (make_case(), *CONTROLS, make_trial()), name="20260102-000000-bbbb")
    store_run(tmp_path, (make_case(), *CONTROLS, make_trial()), name="20260101-000000-aaaa")
    (directory / "result.json").write_bytes(content)
    stream = io.StringIO()
    print_runs(Console(file=stream, width=200), stored_runs(tmp_path))
    assert ["damaged", "complete"] == [run.status for run in stored_runs(tmp_path)]
    assert "damaged" in stream.getvalue()
    assert "clean 1" in stream.getvalue()


def test_nothing(tmp_path):
    """No directory, or one without runs, is an empty list."""
    (tmp_path / "notes").mkdir()
    assert [] == stored_runs(tmp_path) == stored_runs(tmp_path / "nowhere")


def test_table(tmp_path):
    """Names are shown as they are, not taken for markup of the terminal."""
    store_run(tmp_path, (make_case(scenario="[red]x[/red]"), *CONTROLS, make_trial()))
    stream = io.StringIO()
    print_runs(Console(file=stream, width=200), stored_runs(tmp_path))
    assert "[red]x[/red]" in stream.getvalue()
