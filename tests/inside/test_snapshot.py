"""The process that forks for each trial, in every interpreter of this machine: what its children bring home."""

import json
import os
import select
import subprocess
from pathlib import Path

import pytest

from harness.hosting.programs import INSIDE, put_programs

SECONDS = 60.0  # in which an answer must be there
FINE = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"served ", environ["PATH_INFO"].encode("ascii")]
"""
# Its first request imports a module that waits for a lock, which another request holds while it imports one.
HANGING = """
import threading, sys, os
sys.path.insert(0, os.path.dirname(__file__))
lock, met = threading.Lock(), [threading.Event(), threading.Event()]
sys.modules["shared"] = sys.modules[__name__]

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/importer":
        import waiting
    if environ["PATH_INFO"] == "/holder":
        with lock:
            met[0].set()
            met[1].wait(10)
            import waiting
    return [b"done"]
"""
WAITING = "import shared\nshared.met[1].set()\nshared.met[0].wait(10)\nshared.lock.acquire()\n"
# Two requests hold a lock each and wait for the other's, for ever or for so long.
RING = """
import threading

locks, met = [threading.RLock(), threading.RLock()], [threading.Event(), threading.Event()]

def application(environ, start_response):
    start_response("200 OK", [])
    mine = ["/a", "/b"].index(environ["PATH_INFO"])
    own, other = locks[mine], locks[1 - mine]
    with own:
        met[mine].set()
        met[1 - mine].wait(10)
        LINE
    return [b"done"]
"""
# One thread computes in C, and lets nobody else run.
STUCK = """
import re

def application(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/stuck":
        re.match(r"(a+)+$", "a" * 60 + "b")
    return [b"done"]
"""
DYING = """
import os

def application(environ, start_response):
    os._exit(7)
"""


ECHO = """
import json

def application(environ, start_response):
    values = dict((key, environ[key]) for key in environ if isinstance(environ[key], str))
    values["body"] = environ["wsgi.input"].read().decode("utf-8")
    start_response("200 OK", [("Content-Type", "text/plain"), ("Vary", "a"), ("Vary", "b")])(b"written ")
    return [json.dumps(values, encoding="latin-1").encode() if bytes is str else json.dumps(values).encode()]
"""
# What a site may do with an answer.
ODD = """
def raising():
    yield b"begin"
    raise ValueError("no")

def endless():
    while True:
        yield b"x" * 100

def dripping():
    import time
    while True:
        yield b"x"
        time.sleep(0.05)

def application(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/exit":
        raise SystemExit(1)
    status = {"/status": "OK", "/empty": "204 No Content"}.get(path, "200 OK")
    start_response(status, [("Vary", 3)] if path == "/header" else [])
    return {"/raising": raising, "/endless": endless, "/dripping": dripping}.get(path, lambda: [b"\\xff\\xfe"])()
"""


class Snapshot:
    """The process, and what it says. A context manager."""

    def __init__(self, python, programs, directory, script):
        self.script = directory / "it.wsgi"
        self.script.write_text(script)
        (directory / "events").mkdir()
        put_programs(directory, programs)
        self._process = subprocess.Popen(
            [python, "-B", INSIDE / "snapshot.py", directory, self.script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )

    def __enter__(self):
        self.ready = self.read()
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        os.killpg(self._process.pid, 9)
        self._process.wait()
        self._process.stdout.close()

    def read(self):
        assert select.select([self._process.stdout], [], [], SECONDS)[0], "it said nothing"
        return json.loads(self._process.stdout.readline())

    def trial(self, *paths, **changes):
        """A trial of these paths, in which the first is asked for again; `changes` replace fields of its order."""
        requests = [{"method": "GET", "path": path, "body": "", "fields": [["Host", "x"]]} for path in paths]
        order = {
            "requests": requests,
            "follow_up": requests[:1],
            "together": True,
            "line_up": False,
            "runs": (),
            "grace": 2.0,
            "max_body": 1000,
            "telling": 1.0,
            "invariant": "",
            "seed": 1,
            "plan": None,
            **changes,
        }
        if not paths:
            order["follow_up"] = []
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self.read()


@pytest.fixture
def snapshot(python, programs, tmp_path):
    def make(script):
        return Snapshot(python, programs, tmp_path, script)

    return make


@pytest.mark.parametrize("line_up", [False, True])
def test_answers(snapshot, line_up):
    """Every request is answered, the follow-up too, and the state is told; each trial has a process of its own."""
    with snapshot(FINE) as it:
        assert {"ready": True, "shared": []} == it.ready
        trials = [it.trial("/a", "/b?c=d", line_up=line_up) for _ in range(2)]
    for done in trials:
        assert [("served /a", 200), ("served /b", 200)] == [(each["body"], each["status"]) for each in done["answers"]]
        assert ["served /a"] == [each["body"] for each in done["follow_up"]]
        assert "umask" in done["states"]["state"]
    assert 2 == len({done["recording"] for done in trials})


def test_environ(snapshot):
    """The application gets what mod_wsgi makes of the request."""
    fields = [["Host", "b:80"], ["X-A", "1"], ["X_B", "2"], ["Proxy", "3"], ["Authorization", "4"],
              ["Content-Type", "a/b"], ["Content-Length", "2"]]  # fmt: skip
    path = "/%7Eu/%c3%a9//./x/../y;z%3F?a=%zz&b[]"
    with snapshot(ECHO) as it:
        (answer,) = it.trial(requests=[{"method": "PUT", "path": path, "body": "\xe9", "fields": fields}])["answers"]
    assert [["Content-Type", "text/plain"], ["Vary", "a"], ["Vary", "b"]] == answer["fields"][:3]
    written, _, text = answer["body"].partition(" ")
    environ = json.loads(text)
    assert ("written", "\xe9", "PUT") == (written, environ["body"], environ["REQUEST_METHOD"])
    assert ("/~u/\xc3\xa9/y;z?", "a=%zz&b[]", path) == tuple(
        environ[name] for name in ("PATH_INFO", "QUERY_STRING", "REQUEST_URI")
    )
    assert {"HTTP_HOST": "b:80", "HTTP_X_A": "1", "CONTENT_TYPE": "a/b", "CONTENT_LENGTH": "2"} == {
        name: value for name, value in environ.items() if name.startswith(("HTTP_", "CONTENT_"))
    }


def test_what_the_server_refuses(snapshot):
    """Paths that httpd answers itself never reach the application."""
    with snapshot(FINE) as it:
        answers = it.trial("/%zz", "/a%2Fb", "/a%00", "/../a", "/a/./..", "//")["answers"]
    assert [400, 404, 404, 400, 200, 200] == [answer["status"] for answer in answers]
    assert ["served /", "served /"] == [answer["body"] for answer in answers[4:]]


def test_odd_answers(snapshot):
    """A body that raises keeps its status, as the client has got it; what raised before is a 500; no end is cut."""
    paths = ["/raising", "/exit", "/status", "/header", "/empty", "/bytes", "/endless", "/dripping"]
    with snapshot(ODD) as it:
        answers = it.trial(*paths, grace=1.5, telling=SECONDS, follow_up=[])["answers"]
    assert [(200, "begin"), (500, ""), (500, ""), (500, ""), (204, ""), (200, "\xff\xfe")] == [
        (answer["status"], answer["body"]) for answer in answers[:6]
    ]
    assert [None] * 6 == [answer["failure"] for answer in answers[:6]]
    assert "cut" == answers[6]["failure"]
    assert answers[7]["failure"] in ("cut", None)
    assert answers[7]["last_byte"] is None


def test_a_hang_in_an_import(snapshot, tmp_path):
    """The child tells who waits for what although the import lock is held for good, and the next trial is served."""
    (tmp_path / "waiting.py").write_text(WAITING)
    with snapshot(HANGING) as it:
        done = it.trial("/importer", "/holder", grace=1.0)
        assert [None, None] == [each["last_byte"] for each in done["answers"]]
        assert done["idle"]
        waits = {each["waits_for"].partition(" (")[0] for each in done["stacks"]}
        assert waits in ({"shared.lock", "the import lock"}, {"shared.lock", "the import lock of module waiting"})
        assert ["done"] == [each["body"] for each in it.trial("/other")["answers"]]


def test_a_deadlock_is_not_waited_for(snapshot):
    """Threads that wait for each other's locks for good are told when looked at, ages before the grace ends."""
    with snapshot(RING.replace("LINE", "with other: pass")) as it:
        done = it.trial("/a", "/b", grace=10 * SECONDS)
    assert done["idle"]
    assert 2 == len([each for each in done["stacks"] if each["for_good"]])
    assert [None, None] == [each["last_byte"] for each in done["answers"]]


def test_who_gives_up_is_waited_for(python3, snapshot):
    """Looked at, they wait for each other too; but not for good."""
    with snapshot(RING.replace("LINE", "other.acquire(True, 1.5) and other.release()")) as it:
        done = it.trial("/a", "/b", grace=SECONDS)
    assert ["done", "done"] == [each["body"] for each in done["answers"]]


def test_silent_child_is_ended(snapshot):
    """A child whose thread lets nobody else run is ended, and known to be still computing; the next trial goes on."""
    with snapshot(STUCK) as it:
        done = it.trial("/stuck", grace=0.5, follow_up=[])
        assert (True, False) == (done["stuck"], done["idle"])
        assert not Path(f"/proc/{done['pid']}").exists()
        assert ["done"] == [each["body"] for each in it.trial("/other")["answers"]]


def test_a_child_that_dies(snapshot):
    """How it ended is told, and the next one is no worse off."""
    with snapshot(DYING) as it:
        assert [7 << 8, 7 << 8] == [it.trial("/")["died"] for _ in range(2)]
