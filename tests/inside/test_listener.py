"""What a process tells of itself through the listener's pipe, in every interpreter of this machine.

Each test has a process of its own, which does what it is told and is asked from outside, as a server's process is.
"""

import json
import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from harness.hosting import listener
from harness.hosting.programs import put_programs
from harness.records import ProcessId

DRIVER = Path(__file__).with_name("drive_listener.py")
SECONDS = 20.0  # until a condition that is awaited must be there


class Process:
    """One that lives, and is asked. A context manager."""

    def __init__(self, python, programs, directory):
        self.directory = directory
        (directory / "events").mkdir()
        put_programs(directory, programs)
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "TZ"))}
        self._process = subprocess.Popen(
            [python, "-B", DRIVER, directory],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**environment, "LANG": "C.UTF-8"},
        )

    def __enter__(self):
        self.report = json.loads(self._process.stdout.readline())
        self.recording = Path(self.report["recording"])
        self.id = ProcessId(*map(int, self.recording.name.split("-")))
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.communicate()

    def do(self, action):
        self._process.stdin.write(f"{action}\n")
        self._process.stdin.flush()
        assert "done\n" == self._process.stdout.readline()

    def ask(self, question):
        """The answer to a question that is asked until somebody listens: after one answer it takes a moment."""
        deadline = time.monotonic() + SECONDS
        while not (answer := question()) and time.monotonic() < deadline:
            pass
        return answer

    def state(self, invariant=""):
        (self.directory / "invariant").write_text(invariant)

        def question():
            state = listener.state(self.recording, self.id)
            return state if state.entries else None

        return self.ask(question)

    def stacks(self):
        return self.ask(lambda: listener.stacks(self.recording, self.id))

    def told(self):
        """The state, all of which could be told."""
        state = self.state()
        assert () == state.failed
        return state.entries

    def changed(self, action):
        """The entries that an action changes: before and after."""
        before = self.told()
        self.do(action)
        after = self.told()
        return {
            name: (before.get(name), after.get(name))
            for name in {*before, *after}
            if before.get(name) != after.get(name)
        }

    def waiting(self, *functions):
        """A thread for each of these functions, by its name, once all of them wait for something.

        Whoever waits for the other to come has not got there yet, and whoever imports the endless module waits for
        nothing.
        """
        found = {}
        deadline = time.monotonic() + SECONDS
        while set(found) != set(functions) and time.monotonic() < deadline:
            for each in self.stacks():
                last = each.frames[-1]
                if each.waits_for and last.function != "wait" and "endless" not in last.file:
                    found |= {frame.function: each for frame in each.frames if frame.function in functions}
        return found


@pytest.fixture
def process(python, programs, tmp_path):
    with Process(python, programs, tmp_path) as made:
        yield made


@pytest.fixture(scope="class")
def changing(python, programs, tmp_path_factory):
    """One process, to be changed in many ways."""
    with Process(python, programs, tmp_path_factory.mktemp("changing")) as made:
        yield made


class TestState:
    @pytest.mark.parametrize(
        ("action", "entries"),
        [
            ("nothing", set()),
            ("umask", {"umask"}),
            ("cwd", {"cwd"}),
            ("environment", {"environment LISTENER_TEST"}),
            ("time_zone", {"time zone", "environment TZ"}),
            ("locale", {"locale"}),
            ("thread", {"threads"}),
            ("path", {"sys.path"}),
            ("warnings", {"warnings filters"}),
            ("signal", {"signal handler 10"}),
            ("logging", {"logging handlers of letters"}),
            ("setting", {"setting DEBUG"}),
            ("order", set()),
            ("model", {"models"}),
            ("receiver", {"receivers of django.core.signals.request_started"}),
            ("gone_receiver", set()),
        ],
    )
    def test_changed(self, changing, action, entries):
        """What was changed is told, and nothing else is."""
        assert entries == set(changing.changed(action))

    def test_file(self, changing):
        """A file that was left open is told by its path, numbers aside, whatever bytes that is made of."""
        (kept,) = changing.changed("file")
        (odd,) = changing.changed("odd_file")

        assert kept.startswith("open file /")
        assert kept.endswith("/kept")
        assert odd.startswith(kept.removesuffix("kept"))
        assert odd.isascii()

    def test_values(self, process):
        """An entry is told by its value, before and after."""
        process.do("umask")

        assert "0027" == process.told()["umask"]
        assert ("False", "True") == process.changed("setting")["setting DEBUG"]

    def test_pool(self, python3, process):
        """A pool with more workers than before is the same: it starts them as it needs them."""
        assert {"threads"} == set(process.changed("pool"))
        assert {} == process.changed("wider_pool")


class TestInvariant:
    @pytest.mark.parametrize(
        ("function", "entries"),
        [
            ("number", {"invariant": 3}),
            ("table", {"invariant clients": 1, "invariant caf\\xe9": 2}),
            ("text", {"invariant": "three"}),
        ],
    )
    def test_told(self, process, function, entries):
        """What the site's own function returns is told: a number as a number."""
        state = process.state(f"site_counter:{function}")

        assert () == state.failed
        assert entries == {name: value for name, value in state.entries.items() if name.startswith("invariant")}

    @pytest.mark.parametrize(
        ("hook", "reason"),
        [
            ("site_counter:raises", "ValueError: caf"),
            ("site_counter:loud", "Loud: "),
            ("site_counter:exits", "SystemExit: 1"),
            ("site_counter:long_text", "site_counter:long_text returned a text of 100000 characters"),
            ("site_counter:long_number", "site_counter:long_number returned a number of more than 63 bits"),
            ("site_counter:long_table", "site_counter:long_table returned 1000 entries"),
            ("site_counter:thing", "site_counter:thing returned a lock: only a number"),
            ("site_counter:table_of_things", "site_counter:table_of_things returned a lock: only a number"),
            ("site_counter:value", "module site_counter has no function value"),
            ("site_counter:nothing", "module site_counter has no function nothing"),
            ("nowhere:number", "module nowhere, which `invariant` names, is not loaded"),
        ],
    )
    def test_not_told(self, process, hook, reason):
        """One that fails, or returns what cannot be compared, is told in a sentence; the rest of the state is there."""
        state = process.state(hook)

        (failed,) = state.failed
        assert failed.startswith("the site's invariant: ")
        assert reason in failed
        assert failed == state.entries["not told: the site's invariant"]
        assert "umask" in state.entries
        assert not [name for name in state.entries if name.startswith("invariant")]

    def test_asked_again(self, process):
        """The process goes on answering after a hook has raised what ends threads."""
        process.state("site_counter:exits")

        assert 3 == process.state("site_counter:number").entries["invariant"]


class TestStacks:
    def test_waiting_for_nothing(self, process):
        """Threads that read, compute, or hold a lock that nobody wants wait for none; each is told with its frames."""
        process.do("idle_threads")
        functions = set()
        deadline = time.monotonic() + SECONDS
        while not {"read", "count", "hold"} <= functions and time.monotonic() < deadline:
            stacks = process.stacks()
            functions = {frame.function for each in stacks for frame in each.frames[-1:]}
            assert {""} >= {each.waits_for for each in stacks if each.frames[-1].function in ("read", "count", "hold")}
        assert {"read", "count", "hold"} <= functions

    @pytest.mark.parametrize("locks", ["plain_locks", "watched_locks"])
    def test_lock_cycle(self, process, locks):
        """Two threads that wait for each other's plain lock are told with the names of the locks, whether or not the
        perturbation watches them."""
        process.do(locks)
        found = process.waiting("first_then_second", "second_then_first")

        one, other = found["first_then_second"], found["second_then_first"]
        assert ("__main__.SECOND", "__main__.FIRST") == (one.waits_for, other.waits_for)
        assert ("with SECOND:", "with FIRST:") == (one.frames[-1].source, other.frames[-1].source)
        assert one.lock != other.lock

    def test_owners(self, python3, process):
        """Where locks know who holds them, each is told as held by the other thread."""
        process.do("owned_locks")
        found = process.waiting("upper_then_lower", "lower_then_upper")

        one, other = found["upper_then_lower"], found["lower_then_upper"]
        assert ("__main__.LOWER", "__main__.UPPER") == (one.waits_for, other.waits_for)
        assert (one.thread, other.thread) == (other.owner, one.owner)

    def test_for_good(self, process):
        """Two that wait for each other's locks, without a limit, do so for good; whoever waits for them does not."""
        process.do("owned_locks")
        process.waiting("upper_then_lower", "lower_then_upper")
        process.do("bystander_of_them")
        found = process.waiting("upper_then_lower", "lower_then_upper", "take_upper")

        assert [True, True, False] == [
            found[name].for_good for name in ("upper_then_lower", "lower_then_upper", "take_upper")
        ]

    def test_not_for_good(self, process):
        """Two of which one may give up do not."""
        process.do("owned_locks_for_a_while")
        found = process.waiting("upper_then_lower", "lower_then_upper_for_a_while")

        assert [False, False] == [each.for_good for each in found.values()]
        assert found["upper_then_lower"].owner == found["lower_then_upper_for_a_while"].thread

    def test_not_in_a_ring(self, process):
        """One who waits for a lock whose holder waits for none does not."""
        process.do("bystander")

        assert not process.waiting("take_upper")["take_upper"].for_good

    def test_import(self, process):
        """One that waits for another's import is told so, while the import lock is held for good."""
        process.do("imports")
        found = process.waiting("import_endless")["import_endless"]

        assert found.waits_for in ("the import lock", "the import lock of module endless")

    def test_state_beside_them(self, process):
        """Threads that wait for each other do not keep the state from being told."""
        process.do("plain_locks")
        process.waiting("first_then_second", "second_then_first")

        assert "umask" in process.told()


class TestInstalled:
    def test_unchanged(self, process):
        """Installing it changes no path, import hook or trace function, and starts no thread that Python knows of."""
        assert process.report["before"] == process.report["after"]

    def test_asked(self, process):
        """Neither does being asked: a second answer is as the first."""
        first = process.told()
        process.stacks()

        assert first == process.told()

    def test_forgotten(self, process):
        """Nothing is left beside a recording that is forgotten."""
        process.told()
        process.stacks()
        listener.forget(process.recording)

        assert [process.recording.name] == [each.name for each in process.recording.parent.iterdir()]


class TestWhoAsks:
    def test_other_words(self, python, process, tmp_path):
        """A word that is none of ours runs nothing, wherever a file of that name lies; ours are answered after it."""
        evidence = tmp_path / "ran"
        code = f"def tell(rest):\n    open({str(evidence)!r}, 'w').close()\n    return b''\n"
        compiled = subprocess.run(
            [python, "-c", "import sys, marshal; o = getattr(sys.stdout, 'buffer', sys.stdout); "
             "o.write(marshal.dumps(compile(sys.argv[1], 'x', 'exec')))", code],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
        (process.directory.parent / "evil.marshal").write_bytes(compiled)
        (process.directory / "evil.marshal").write_bytes(compiled)
        pipe = process.recording.with_name(f"{process.recording.name}.ask")
        for word in ("evil", "../evil", f"{process.directory.parent}/evil", "state os:system"):
            assert process.ask(lambda word=word: listener.send(pipe, word, None))
        assert process.told()
        assert not evidence.exists()

    def test_pipe_is_private(self, process):
        """Only the server's user may write to the pipe."""
        assert 0o600 == stat.S_IMODE(process.recording.with_name(f"{process.recording.name}.ask").stat().st_mode)
