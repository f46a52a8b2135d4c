"""A real run that is killed in the middle is resumed, and ends as its plan says."""

import json
import signal
import tempfile
import time
from pathlib import Path

import pytest
from launch import ROOT, launch

from harness.store.stored_case import StoredCase

pytestmark = [pytest.mark.faults, pytest.mark.e2e]
SCRIPTS = ROOT / "tests" / "e2e" / "scripts"


# A few seconds on an idle machine: this bounds a wait and measures nothing.
PATIENCE = 300


class Command:
    """The harness command, with its results in a directory that it keeps to."""

    def __init__(self, path):
        self.path, self.results = path, path / "results"

    def start(self, *arguments):
        return launch("harness.cli", *arguments, "--results", self.results)

    def run(self, *arguments):
        process = self.start(*arguments)
        try:
            return process, process.communicate(timeout=PATIENCE)[0]
        finally:
            process.kill()

    def kill(self, *arguments, after, number=signal.SIGKILL):
        """Start a run, and send it a signal once it has written so many lines of what it measures."""
        process = self.start(*arguments)
        return self.end(process, after, number)

    def end(self, process, after, number=signal.SIGKILL):
        try:
            deadline = time.monotonic() + PATIENCE
            while self.lines() < after:
                assert time.monotonic() < deadline
                assert process.poll() is None, process.communicate()[0]
                time.sleep(0.05)
            process.send_signal(number)
            out, _ = process.communicate(timeout=PATIENCE)
        finally:
            process.kill()
        (directory,) = self.results.iterdir()
        return directory, out

    def lines(self):
        files = [*self.results.glob("*/cases/*.jsonl"), *self.results.glob("*/bench.jsonl")]
        texts = [path.read_bytes() for path in files]
        return sum(text.count(b'{"type":"trial"') + text.count(b'{"type":"cycle"') for text in texts)


@pytest.fixture
def command():
    with tempfile.TemporaryDirectory(prefix="open-") as directory:  # the server's user cannot enter pytest's own
        Path(directory).chmod(0o755)
        yield Command(Path(directory))


def numbers_of(directory):
    """The trials of each case, and the parts that they were made in."""
    stored = map(StoredCase, sorted((directory / "cases").iterdir()))
    return {case.case.id: ([t.number for t in case.trials()], [part.number for part in case.parts]) for case in stored}


def test_killed_run(command):
    """Killed twice, in each of its modes once, a run has every trial of its plan once, with the plan's seed; the exit
    code is that of the whole. Then there is nothing to resume."""
    script = command.path / "sound.wsgi"
    script.write_text((SCRIPTS / "check_then_act_fixed.wsgi").read_text())
    few = ("--users", 4, "--trials", 6, "--seed", 5)
    directory, _ = command.kill("check", script, *few, after=2)
    assert not (directory / "result.json").exists()
    process = command.start("resume", directory.name)
    command.end(process, after=8)
    process, out = command.run("resume", directory.name)
    assert process.returncode in (0, 3), out  # on a busy machine some requests may not meet

    result = json.loads((directory / "result.json").read_text())
    assert "complete" == result["status"]
    assert [(6, 5), (6, 5)] == [(case["trials"], case["seed"]) for case in result["cases"]]
    for numbers, parts in numbers_of(directory).values():
        assert list(range(1, 7)) == sorted(numbers)
        assert parts[-1] > 1
    report, regraded = command.run("report", directory.name, "--format", "json")
    assert process.returncode == report.returncode
    assert [case["reason"] for case in result["cases"]] == [case["reason"] for case in json.loads(regraded)["cases"]]
    again, out = command.run("resume", directory.name)
    assert (2, 1) == (again.returncode, len(out.splitlines())), out


def test_two_at_once(command):
    """A run that is under way is not resumed beside itself."""
    script = command.path / "sound.wsgi"
    script.write_text((SCRIPTS / "check_then_act_fixed.wsgi").read_text())
    process = command.start("check", script, "--trials", 2000, "--mode", "daemon")
    try:
        while command.lines() < 2:
            assert process.poll() is None
            time.sleep(0.05)
        (directory,) = command.results.iterdir()
        other, out = command.run("resume", directory.name)
        assert (2, True) == (other.returncode, "still under way" in out), out
    finally:
        command.end(process, after=2, number=signal.SIGINT)
    assert 3 == process.returncode


def test_killed_bench(command):
    """What a bench run had measured when it was killed is reported, and it goes on with the cycles that it lacks."""
    short = ("--backend", "local", "--restart-at", 1, "--during", 1, "--after", 1, "--rate", 20, "--cycles", 2)
    directory, _ = command.kill("bench", "mysite", "--mode", "daemon", "--script", "default", *short, after=1)
    report, out = command.run("report", directory.name)
    assert (3, True) == (report.returncode, "interrupted after 1 of 2 cycles" in out), out
    assert "interrupted after 1 of 2 cycles" in command.run("runs")[1]

    command.run("resume", directory.name)
    bench = json.loads((directory / "bench.json").read_text())
    assert ("complete", [[1, 2]]) == (
        bench["status"],
        [[c["number"] for c in cell["cycles"]] for cell in bench["cells"]],
    )
    again, out = command.run("resume", directory.name)
    assert (2, 1) == (again.returncode, len(out.splitlines())), out


def test_killed_search(command):
    """So does the snapshot lane; the trial of a number has the seed of that number in either part."""
    directory, _ = command.kill(
        "explore", "mysite-perturbed", "--case", "::default::", "--trials", 6, "--full", after=2
    )
    process, out = command.run("resume", directory.name)
    assert process.returncode in (0, 1), out
    for numbers, _ in numbers_of(directory).values():
        assert list(range(1, 7)) == sorted(numbers)
    for stored in (StoredCase(path) for path in (directory / "cases").iterdir()):
        seeds = {(trial.number, inside.seed) for trial in stored.trials() for inside in trial.evidence.inside}
        assert {(number, (stored.case.seed * 1_000_003 + number) & 0xFFFFFFFF) for number in range(1, 7)} == seeds
