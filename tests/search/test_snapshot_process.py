"""A real process that has imported a script and forks: what comes home of it. In the interpreter of the tests."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from build import PROCESS, make_case, make_yardstick

from harness.checkers.grade import grade
from harness.errors import BadInput, InfrastructureError
from harness.records import Request, State, ThreadOrder
from harness.runtimes.building import Runtime
from harness.search import snapshot as snapshot_module
from harness.search.snapshot import SnapshotProcess

SECONDS = 60.0  # in which a trial must be over, on however slow a machine
SERVE = """
import os, re, sys, threading

def application(environ, start_response):
    path = environ["PATH_INFO"]
    start_response("200 OK", [("Content-Type", "text/plain")])
    if path == "/wait":
        threading.Event().wait()
    if path == "/die":
        os._exit(7)
    if path == "/stuck":  # computes in C, and lets nobody else run
        re.match(r"(a+)+$", "a" * 60 + "b")
    body = environ["wsgi.input"].read()
    return [environ["REQUEST_METHOD"].encode("ascii"), b" ", path.encode("ascii"), b" ", body]
"""


def make_process(directory, script=SERVE, *paths, **changes):
    """The process of a script."""
    path, python = directory / "it.wsgi", Path(sys.executable)
    path.write_text(script)
    runtime = Runtime("here", python, python, (), directory / "bytecode", {}, {})
    requests = tuple(Request(path=path) for path in paths)
    fields = {"requests": requests, "timeout": SECONDS, "site_dir": directory}
    return SnapshotProcess(make_case(script_path=path, **fields | changes), runtime)


@pytest.fixture(scope="module", autouse=True)
def this_user():
    """Processes run as the user of the tests: another one may not go where this interpreter is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.proc.server_user", lambda: ("", ""))
        yield


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Two controls and three trials of one process."""
    requests = (Request(path="/a"), Request(path="/b", method="POST", body="x=1", headers={"Host": "shop"}))
    with make_process(tmp_path_factory.mktemp("site"), requests=requests) as process:
        controls = [process.control(number, 5.0) for number in (1, 2)]
        reference = controls[0].evidence.states[0]
        trials = [process.trial(number, SECONDS, reference) for number in (1, 2)]
        entries = reference.entries | {"umask": "0777"}
        trials.append(process.trial(4, SECONDS, State(process=PROCESS, entries=entries), ThreadOrder()))
    return SimpleNamespace(controls=controls, trials=trials)


class TestServing:
    def test_answers(self, served):
        """Every request is answered, with its method and body, as mod_wsgi would have it answered."""
        for answers in (served.controls[0].answers, served.trials[0].answers):
            assert [(200, "GET /a "), (200, "POST /b x=1")] == [(answer.status, answer.body) for answer in answers]
            assert {"text/plain"} == {answer.headers["content-type"] for answer in answers}
        assert ["GET /a "] == [answer.body for answer in served.trials[0].follow_up]
        assert 5.0 == served.controls[0].begin

    def test_own_processes(self, served):
        """Each control and each trial has a cold process of its own."""
        records = served.controls + served.trials
        assert len(records) == len({record.evidence.processes[0].process for record in records})

    def test_grade(self, served):
        """The checkers judge them as those of a server."""
        grades = [grade(trial, make_yardstick(*served.controls)) for trial in served.trials[:2]]
        assert [({"ok": 3}, True)] * 2 == [(graded.outcomes, graded.cold) for graded in grades]

    def test_compared_state(self, served):
        """Of a trial's state only what is not as in the reference is kept."""
        entries = [trial.evidence.states[0].entries for trial in served.trials]
        assert [{}, {}, {"umask": served.controls[0].evidence.states[0].entries["umask"]}] == entries

    def test_line_up(self, served):
        """Every second trial has its threads lined up, unless it is led like another one."""
        assert [False, True, False] == [trial.order.line_up for trial in served.trials]


def test_enforced_order(tmp_path):
    """The order of disturbed threads is brought home, and another trial is made to follow it."""
    with make_process(tmp_path, SERVE, "/a", "/b", schedule="perturbed") as process:
        order = process.trial(2, SECONDS, like=ThreadOrder(fine=True)).order
        again = process.trial(3, SECONDS, like=order).order
    assert order.steps == sum(steps for _, steps in order.runs) > 0
    assert (True, False) == (order.fine, order.line_up)
    assert again.followed > 0


class TestFailingChildren:
    def test_open_request(self, tmp_path):
        """A child that stands still has its requests open, and tells what its threads wait for."""
        with make_process(tmp_path, SERVE, "/wait") as process:
            trial = process.trial(1, 0.2)
        assert ["open", "open"] == [answer.failure for answer in trial.answers]
        assert ((), True) == (trial.follow_up, trial.evidence.processes[0].idle)
        assert {trial.evidence.processes[0].process} == {stack.process for stack in trial.evidence.stacks}

    def test_death(self, tmp_path):
        """A child that dies loses its connections, and is gone; the next trial has another one."""
        with make_process(tmp_path, SERVE, "/die", "/b") as process:
            trials = [process.trial(number, SECONDS) for number in (1, 2)]
        for trial in trials:
            assert ["reset", "reset"] == [answer.failure for answer in trial.answers]
            assert (True, None) == (trial.evidence.processes[0].gone, trial.evidence.processes[0].idle)

    def test_stuck(self, tmp_path, monkeypatch):
        """A child that cannot tell is ended: its requests are open, and it was computing."""
        monkeypatch.setattr(snapshot_module, "REPORT_SECONDS", 0.2)
        with make_process(tmp_path, SERVE, "/stuck", "/b", follow_up=0) as process:
            trial = process.trial(1, 0.2)
        assert ["open", "open"] == [answer.failure for answer in trial.answers]
        assert (False, False) == (trial.evidence.processes[0].gone, trial.evidence.processes[0].idle)


@pytest.mark.parametrize(
    ("script", "error", "words"),
    [
        ("raise RuntimeError('no settings')", BadInput, "cannot be imported: RuntimeError: no settings"),
        ("import socket; kept = socket.socket()\ndef application(*_): pass", BadInput, "cannot isolate them"),
        ("import os; os.write(2, b'bye'); os._exit(3)", InfrastructureError, r"the snapshot process ended:\n  bye"),
    ],
)
def test_refused_scripts(tmp_path, monkeypatch, script, error, words):
    """A script that does not import, or whose process cannot be copied, is told, and nothing is left behind."""
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(snapshot_module, "MEMORY", str(memory))
    with pytest.raises(error, match=words), make_process(tmp_path, script):
        pass
    assert [] == list(memory.iterdir())


def test_endless_import(tmp_path):
    """A script that is imported for longer than a request may take is ended with its process."""
    process = make_process(tmp_path, "import threading; threading.Event().wait()", timeout=0.5)
    with pytest.raises(BadInput, match=r"still being imported after 0\.5 s"), process:
        pass


@pytest.mark.parametrize(("writable", "directory"), [(True, snapshot_module.MEMORY), (False, None)])
def test_directory_in_memory(monkeypatch, writable, directory):
    """Recordings are kept in memory, where there is a directory for that."""
    monkeypatch.setattr("os.access", lambda path, mode: writable)
    assert directory == snapshot_module._memory()


LEAVES = """
import os, subprocess, sys

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    if environ["PATH_INFO"] == "/leaves":
        subprocess.Popen(["sleep", "1000"], start_new_session=True)
    else:
        subprocess.call(["sleep", "0"])
    return [b"x"]
"""


@pytest.mark.parametrize(("path", "count"), [("/leaves", 2), ("/waits", 0)])
def test_left_behind(tmp_path, path, count):
    """What a forked child leaves running is ended and told; a process that ended before it is not told."""
    with make_process(tmp_path, LEAVES, path, follow_up=0) as process:
        process.trial(1, SECONDS)  # of two requests
    assert ["sleep 1000"] * count == [left.command for left in process.left()]
    assert len({left.of for left in process.left()}) == min(count, 1)
