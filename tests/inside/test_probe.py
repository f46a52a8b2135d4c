"""What the probe records inside a server process, in every interpreter of this machine.

Each test plays mod_wsgi to the probe in an interpreter of its own, and reads what it wrote.
"""

import signal
from pathlib import Path

import pytest
from playing import ABSENT, play, shrink
from stand_ins import NEW_KINDS, OLD_DJANGO, OLD_KINDS

from harness.hosting import events

ODD_NAME = 'caf\xe9 "quoted" \\ and\ttabbed'

BATCHES = [
    [("settings", "settings"), ("beside-settings", "nothing")],
    [("import", "lazy_import"), ("beside-import", "nothing")],
    [("import-again", "lazy_import")],
    [("import-fails", "failing_import")],
    [("submodule", "lazy_submodule")],
    [("known", "known_modules")],
    [("kinds", "every_kind")],
    [("error", "fail"), ("beside-error", "nothing")],
    [("error-abroad", "fail_abroad")],
    [("error-encoded", "fail_encoded")],
    [("error-mute", "fail_mute")],
    [("handled", "handled")],
    [("twice", "executed_twice")],
    [("once", "imported_twice")],
    [(ODD_NAME, "nothing")],
]
REQUESTS = [name for batch in BATCHES for name, _ in batch]
FAILING = ("error", "error-abroad", "error-encoded", "error-mute")


@pytest.mark.parametrize("minor", ABSENT)
def test_absent(minor):
    """A Python that is not on this machine is told once, rather than at every test."""
    pytest.skip(f"Python {minor} is not on this machine (PATH, pyenv, uv)")


@pytest.fixture(scope="module")
def played(python, tmp_path_factory):
    """All of BATCHES, with a Django of today."""
    return play(python, tmp_path_factory.mktemp("played"), BATCHES)


@pytest.fixture(scope="module")
def played_old(python, tmp_path_factory):
    """Every kind of work of a Django of 2010."""
    batches = [[("kinds", "every_kind")], [("handled", "handled_by_method")]]
    return play(python, tmp_path_factory.mktemp("played_old"), batches, django=OLD_DJANGO)


class TestRequests:
    def test_counted(self, played):
        """Each answer carries the count of its request: 1 to n, each once, in the order of arrival."""
        answered = [name for name in REQUESTS if "error" not in played.answer(name)]

        counts = [int(played.header(name, "X-Harness-Count")) for name in answered]
        assert len(set(counts)) == len(counts)
        assert {1, 2} == set(counts[:2])
        assert len(REQUESTS) == counts[-1]

    def test_process(self, played):
        """Each answer names the process that its recording is named for."""
        expected = f"{played.process.pid}:{played.process.start}"

        assert {expected} == {
            played.header(name, "X-Harness-Process") for name in REQUESTS if "error" not in played.answer(name)
        }

    def test_own_answer(self, played):
        """Status, headers and body are the site's own."""
        answer = played.answer("settings")

        assert ("200 OK", "ok", ["Content-Type", "text/plain"]) == (
            answer["status"], answer["body"], answer["headers"][0],
        )  # fmt: skip

    def test_spans(self, played):
        """Each request has one span, on the thread that served it, and it ended."""
        assert sorted(REQUESTS) == sorted(span.name for span in played.spans("request"))
        assert [played.answer(name)["thread"] for name in REQUESTS] == [
            played.request(name).thread for name in REQUESTS
        ]
        assert all(span.end is not None for span in played.spans("request"))

    def test_overlap(self, played):
        """Requests that were in the process together have spans that overlap; those in turn have not."""
        one, other = played.request("settings"), played.request("beside-settings")
        later = played.request("import")

        assert max(one.begin, other.begin) < min(one.end, other.end)
        assert one.end <= later.begin

    def test_clock(self, played):
        """Times are the machine's monotonic clock: those of the client compare directly."""
        slack = 0.05  # a Python without that clock writes wall time, which is shifted on reading

        assert played.began - slack < min(span.begin for span in played.inside.spans)
        assert max(span.end for span in played.spans("request")) < played.ended + slack


class TestWork:
    def test_settings(self, played):
        """Settings that a request builds are recorded on its thread within it, with their module's name."""
        (span,) = [span for span in played.during("settings") if span.kind == "settings"]

        assert ("books.settings", False) == (span.name, span.failed)
        assert [] == played.during("beside-settings")

    def test_kinds(self, played):
        """Each kind of Django's initialisation is recorded with its name; a call that does nothing is not."""
        assert NEW_KINDS == [(span.kind, span.name) for span in played.during("kinds") if span.kind != "import"]

    def test_old_kinds(self, played_old):
        """So it is for the Django of 2010."""
        assert OLD_KINDS == [(span.kind, span.name) for span in played_old.during("kinds") if span.kind != "import"]

    def test_lacking(self, played_old):
        """A Django that lacks a name works as if nothing were there."""
        assert ["200 OK"] * 2 == [answer["status"] for answer in played_old.report["answers"].values()]


class TestImports:
    def test_outermost(self, played):
        """An import in a request is one span, with the count of further modules that it pulled in."""
        assert [("outer", 2, False)] == played.imports("import")

    def test_thread(self, played):
        """It is recorded on the thread that imports, and on no other."""
        assert [] == played.imports("beside-import")

    def test_known(self, played):
        """A module that is there already is not imported."""
        assert [] == played.imports("import-again")

    def test_known_relative(self, played):
        """... however the import statement is written."""
        assert [] == played.imports("known")

    def test_submodule(self, played):
        """`from package import module` imports a module that is not there yet."""
        assert ["package.late"] == [name for name, _, _ in played.imports("submodule")]

    def test_failed(self, played):
        """A module that raises while it is executed is a failed import."""
        assert [("fails", 0, True)] == played.imports("import-fails")

    def test_before_requests(self, played):
        """What the script imports is recorded before any request, on the script's thread."""
        first = min(span.begin for span in played.spans("request"))
        early = [span for span in played.spans("import") if span.begin < first]

        assert {"early", "actions"} <= {span.name for span in early}
        assert {played.report["script_thread"]} == {span.thread for span in early}

    def test_executed_again(self, python3, played):
        """A module that was executed a second time is reported, one imported twice is not."""
        assert ("twice",) == played.inside.executed_again


class TestScript:
    def test_begin(self, played, tmp_path_factory):
        """The script's span begins on its thread, before its first import, and is named for its file."""
        (script,) = played.spans("script")

        assert "script.wsgi" == Path(script.name).name
        assert played.report["script_thread"] == script.thread
        assert script.begin <= min(span.begin for span in played.spans("import"))

    def test_end(self, played):
        """It ends at the latest when the next request on that thread begins."""
        (script,) = played.spans("script")

        assert played.request("import-again").begin == script.end


class TestErrors:
    def test_recorded(self, played):
        """An exception is recorded under its request's name, with its message and traceback."""
        mishap = played.mishap("error")

        assert 'ValueError: "quoted" \\ and\ttabbed' == mishap.error
        assert mishap.traceback.startswith("Traceback (most recent call last):\n")
        assert "in fail\n    raise ValueError(" in mishap.traceback
        assert played.answer("error")["thread"] == mishap.thread
        request = played.request("error")
        assert request.begin <= mishap.at <= request.end

    def test_reaches_the_site(self, played):
        """It goes on to the server as it was."""
        assert "ValueError" == played.answer("error")["error"]

    def test_only_where_it_was(self, played):
        """Requests without an exception have none recorded, though one failed beside them."""
        assert set() == {each.request for each in played.inside.mishaps} - {*FAILING, "handled"}

    def test_handled(self, played, played_old):
        """One that Django turns into an error page is recorded too, by a Django of today or of 2010."""
        assert "ValueError" == played.mishap("handled").error.partition(":")[0]
        assert "ValueError" == played_old.mishap("handled").error.partition(":")[0]
        assert "200 OK" == played.answer("handled")["status"]


class TestText:
    def test_name(self, played):
        """Quotes, backslashes, tabs and Latin-1 letters in a request's name survive."""
        assert ODD_NAME == played.request(ODD_NAME).name

    def test_message(self, played):
        """So do letters of any script in an error's message."""
        assert "ValueError: café 日本 \U0001d11e" == played.mishap("error-abroad").error

    def test_encoded_message(self, played):
        """An error whose message is bytes of no ASCII, as is usual on Python 2, is recorded too."""
        assert [True] == [
            m.error.startswith(("ValueError: caf", "ValueError: b'caf")) for m in played.mishaps("error-encoded")
        ]

    def test_mute(self, played):
        """So is one whose message cannot be had: its type is known."""
        assert ["Mute"] == [m.error.partition(":")[0] for m in played.mishaps("error-mute")]

    def test_unpaired(self, python3, tmp_path):
        """An unpaired surrogate, as Python makes of an odd file name, does not spoil the recording."""
        found = play(python3, tmp_path, [[("odd", "fail_unpaired")], [("next", "nothing")]])

        assert "ValueError: \ufffd" == found.mishap("odd").error
        assert 0 == found.inside.lost
        assert ["odd", "next"] == [span.name for span in found.spans("request")]


class TestNothingEscapes:
    def test_unchanged(self, played):
        """Installing the probe changes no path, import hook, trace function or number of threads."""
        assert played.report["before"] == played.report["after"]
        assert 1 == played.report["subscribed"]

    def test_quiet(self, played):
        """It writes nothing to the log of a site that works."""
        assert "" == played.stderr

    def test_full(self, python, tmp_path, monkeypatch):
        """When the recorder is full the site goes on, its answers are proven, and what was written is whole."""
        monkeypatch.setattr(events, "CHUNK", 1024)
        batches = [[(f"{n}.0", "settings"), (f"{n}.1", "lazy_import")] for n in range(10)]
        found = play(python, tmp_path, [*batches, [("long", "fail_at_length")]], change=shrink)

        names = [name for batch in batches for name, _ in batch]
        assert {"200 OK"} == {found.answer(name)["status"] for name in names}
        assert list(range(1, 21)) == sorted(int(found.header(name, "X-Harness-Count")) for name in names)
        assert "ValueError" == found.answer("long")["error"]
        assert 0 < len(found.spans("request")) < 20
        assert "" == found.stderr

    def test_lost(self, python, tmp_path, monkeypatch):
        """A recording that is not complete says so: what was lost may have been the evidence."""
        monkeypatch.setattr(events, "CHUNK", 1024)
        batches = [[(f"{n}.0", "nothing"), (f"{n}.1", "nothing")] for n in range(40)]

        assert play(python, tmp_path, batches, change=shrink).inside.lost > 0

    def test_complete(self, played, played_old):
        """One that is complete has lost nothing."""
        assert (0, 0) == (played.inside.lost, played_old.inside.lost)

    @pytest.mark.parametrize("how", ["missing", "file", "damaged"])
    def test_unwritable(self, python, tmp_path, how):
        """Where it cannot write or be loaded, it says so in the log, is not installed, and the site goes on."""

        def spoil(directory):
            if how == "damaged":
                (directory / "probe.marshal").write_bytes(b"")
                return
            (directory / "events").rmdir()
            if how == "file":
                (directory / "events").touch()

        found = play(python, tmp_path, [[("1.0", "lazy_import"), ("1.1", "settings")]], spoil=spoil)

        assert "harness probe: not installed: " in found.stderr
        assert 1 == len(found.stderr.splitlines())
        assert 0 == found.report["subscribed"]
        for name in ("1.0", "1.1"):
            assert ("200 OK", [["Content-Type", "text/plain"]]) == (
                found.answer(name)["status"], found.answer(name)["headers"],
            )  # fmt: skip


class TestKilled:
    @pytest.fixture(scope="class")
    @staticmethod
    def killed(python, tmp_path_factory):
        """A process that is killed while its last request builds the settings."""
        batches = [[("1.0", "settings")], [("2.0", "settings_for_ever")]]
        return play(python, tmp_path_factory.mktemp("killed"), batches)

    def test_readable(self, killed):
        """What was recorded before a process was killed is there."""
        assert -signal.SIGKILL == killed.returncode
        assert ["1.0", "2.0"] == [span.name for span in killed.spans("request")]

    def test_open(self, killed):
        """Spans that were open then have no end; those that were not have."""
        assert killed.request("1.0").end is not None
        assert killed.request("2.0").end is None
        assert [False, True] == [span.end is None for span in killed.spans("settings")]
