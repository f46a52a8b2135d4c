"""Every mistake in a scenario file is reported with file, key or line, what is allowed and the nearest spelling."""

import pytest
from build import REQUESTS, make_case

from harness.cases.expand import expand
from harness.cases.scenario import Load, load_scenario, parse_scenario
from harness.errors import BadInput

# Keys of the top table come first: what a test adds to the top goes before it, what it adds to the end after it.
GOOD = """
title = "Books"
site = "books"
scripts = ["default", "deferred"]
runtime = "py311-django52"

[[expect]]
verdict = "clean"
outcomes.ok = { grade = "expected", why = "nothing is left to the requests" }
"""


def top(lines):
    return f"{lines}\n{GOOD}"


def end(lines):
    return f"{GOOD}\n{lines}"


def changed(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


# A file with a mistake, and what the message must say.
MISTAKES = {
    "toml": (top("modes = [daemon]"), ["not valid TOML", "line 1"]),
    "toml-line": (end("[load]\nusers = x\nfollow_up = 1"), ["not valid TOML", "line 12"]),
    "empty": ("", ["title: required, but missing", "site: required", "expect: required"]),
    "unknown-key": (top("trails = 5"), ["trails: unknown key", "did you mean 'trials'?", "allowed: ", "restart"]),
    "unknown-far": (top("zzz = 5"), ["zzz: unknown key (allowed: "]),
    "unknown-in-load": (end("[load]\nuser = 5"), ["load.user: unknown key", "did you mean 'users'?", "follow_up"]),
    "unknown-in-path": (
        end('[load]\npaths = [{ path = "/", wieght = 2 }]'),
        ["load.paths[1].wieght: unknown key", "did you mean 'weight'?"],
    ),
    "unknown-in-daemon": (
        end("[hosting.daemon]\nthread = 2"),
        ["hosting.daemon.thread: unknown key", "did you mean 'threads'?", "processes"],
    ),
    "unknown-in-expect": (
        changed("verdict", "verdicts"),
        ["expect[1].verdicts: unknown key", "did you mean 'verdict'?"],
    ),
    "unknown-in-outcome": (changed("grade =", "grad ="), ["expect[1].outcomes.ok.grad: unknown key", "'grade'"]),
    "mode": (
        top('modes = ["deamon"]'),
        ["modes[1]: 'deamon' is not allowed", "did you mean 'daemon'?", "allowed: daemon, embedded"],
    ),
    "schedule": (
        top('schedules = ["perturbd"]'),
        ["schedules[1]: 'perturbd' is not allowed", "did you mean 'perturbed'?"],
    ),
    "restart": (
        top('restart = "respwan"'),
        [
            "restart: 'respwan' is not allowed",
            "did you mean 'respawn'?",
            "respawn, restart, graceful, touch, container, reload",
        ],
    ),
    "mpm": (
        end('[hosting.embedded]\nmpm = "events"'),
        ["hosting.embedded.mpm: 'events'", "did you mean 'event'?", "event, worker, prefork"],
    ),
    "verdict": (
        changed('"clean"', '"rase"'),
        ["expect[1].verdict: 'rase' is not allowed", "'race'?", "clean, hazard, race, broken, inconclusive"],
    ),
    "verdict-in-list": (changed('"clean"', '["clean", "hasard"]'), ["expect[1].verdict[2]: 'hasard'", "'hazard'?"]),
    "race-class": (
        changed('"clean"', '"race"\nrace_class = "hangs"'),
        ["expect[1].race_class: 'hangs'", "'hang'?", "failed-request, wrong-state, hang, duplicate-init"],
    ),
    "broken-class": (changed('"clean"', '"broken"\nbroken_class = "errors"'), ["expect[1].broken_class", "'error'?"]),
    "outcome": (changed("outcomes.ok", "outcomes.okay"), ["expect[1].outcomes.okay", "'okay' is not allowed", "'ok'?"]),
    "grade": (
        changed('"expected"', '"expectd"'),
        ["expect[1].outcomes.ok.grade: 'expectd'", "'expected'?", "expected, acceptable, forbidden"],
    ),
    "why": (
        changed('"nothing is left to the requests"', '"fine"'),
        ["expect[1].outcomes.ok.why", "at least 8", "'fine'"],
    ),
    "no-why": (changed(', why = "nothing is left to the requests"', ""), ["expect[1].outcomes.ok.why: required"]),
    "no-site": (changed('site = "books"\n', ""), ["site: required, but missing"]),
    "no-scripts": (changed('["default", "deferred"]', "[]"), ["scripts: ", "at least 1 item"]),
    "word": (changed('"books"', '"../books"'), ["site: ", "'../books'"]),
    "type": (top('trials = "many"'), ["trials: input should be a valid integer", "given: 'many'"]),
    "few": (top("trials = 0"), ["trials: ", "greater than or equal to 1", "given: 0"]),
    "many": (end("[load]\nusers = 1000"), ["load.users: ", "less than or equal to 200", "given: 1000"]),
    "threads": (end("[hosting.daemon]\nthreads = 0"), ["hosting.daemon.threads: ", "greater than or equal to 1"]),
    "timeout": (end("[load]\ntimeout = 0"), ["load.timeout: ", "greater than 0"]),
    "path": (end('[load]\npaths = [{ path = "books/" }]'), ["load.paths[1].path: ", "'books/'"]),
    "method": (end('[load]\npaths = [{ path = "/", method = "get" }]'), ["load.paths[1].method: ", "'get'"]),
    "status": (
        end('[load]\npaths = ["/", { path = "/", status = 42 }]'),
        ["load.paths[2].status: ", "200", "given: 42"],
    ),
    "users": (
        end('[load]\nusers = 3\npaths = ["/a", { path = "/b", weight = 3 }]'),
        ["load.users = 3 is fewer than the 4 requests", "some would never be sent"],
    ),
    "environment": (end("[environment]\nDEBUG = 1"), ["environment.DEBUG: ", "valid string", "given: 1"]),
    "group": (end('[hosting]\napplication_group = "a b"'), ["hosting.application_group: ", "'a b'"]),
    "unselected": (
        changed("verdict", 'scripts = ["default"]\nverdict'),
        ["no expect block selects script 'deferred' in daemon mode"],
    ),
    "unselected-mode": (
        changed("verdict", 'modes = ["daemon"]\nverdict'),
        ["no expect block selects script 'default' in embedded mode"],
    ),
    "selects-none": (
        changed("verdict", 'scripts = ["defered"]\nverdict'),
        ["expect number 1 names the script 'defered', which scripts does not list", "did you mean 'deferred'?"],
    ),
    "touch-embedded": (
        top('restart = "touch"'),
        [
            "restart = 'touch' does not exist in embedded mode",
            "respawn, restart, graceful, container, reload",
            "modes = [...]",
        ],
    ),
    "reload-daemon": (
        top('restart = "reload"'),
        ["restart = 'reload' does not exist in daemon mode", "respawn, restart, graceful, touch, container"],
    ),
}


def complaint(text):
    with pytest.raises(BadInput) as caught:
        parse_scenario(text, "scenarios/books.toml")
    return str(caught.value)


class TestMistakes:
    @pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
    def test_mistake_is_named(self, text, expected):
        """Each line of the message names the file, and the message has the expected parts."""
        message = complaint(text)

        assert [] == [part for part in expected if part not in message], message
        assert all(line.startswith("scenarios/books.toml: ") for line in message.splitlines())

    def test_all_at_once(self):
        """Several mistakes are reported at once, one a line."""
        lines = complaint(top('trails = 5\nrestart = "touhc"')).splitlines()

        assert ["restart", "trails"] == sorted(line.split(": ")[1] for line in lines)

    def test_file_without_mistake(self):
        """The file to which the mistakes are added has none."""
        assert "Books" == parse_scenario(GOOD, "books.toml").title

    @pytest.mark.parametrize(
        "text",
        [
            top('restart = "touch"\nmodes = ["daemon"]'),
            top('restart = "reload"\nmodes = ["embedded"]'),
            end("[load]\ntimeout = 5"),
            end("[load]\ntimeout = 0.5"),
            end('[load]\npaths = [{ path = "/", status = 404 }]'),
            end('[load]\nusers = 4\npaths = ["/a", { path = "/b", weight = 3 }]'),
            changed('"clean"', '["clean", "hazard"]'),
        ],
    )
    def test_near_twins(self, text):
        """What is similar to a mistake, but correct, is accepted."""
        parse_scenario(text, "books.toml")

    def test_missing_file(self, tmp_path):
        """The error for a missing file names it."""
        with pytest.raises(BadInput, match=r"none\.toml: cannot be read: No such file"):
            load_scenario(tmp_path / "none.toml")

    def test_not_text(self, tmp_path):
        """So does that for a file that is not UTF-8."""
        (tmp_path / "books.toml").write_bytes(b'title = "\xff"')

        with pytest.raises(BadInput, match=r"books\.toml: cannot be read: .*utf-8"):
            load_scenario(tmp_path / "books.toml")


class TestMix:
    def paths(self, *entries, **load):
        return [request.path for request in Load(paths=list(entries), **load).requests]

    def test_in_turn(self):
        """Paths without weights are sent in turn."""
        assert ["/a", "/b"] == self.paths("/a", "/b")

    def test_weighted_paths(self):
        """A path is sent as often as its weight says, in rounds, so that a few users send every path."""
        assert ["/a", "/b", "/c", "/a", "/c", "/a"] == self.paths(
            {"path": "/a", "weight": 3}, "/b", {"path": "/c", "weight": 2}
        )

    def test_request_as_declared(self):
        """A path's own headers override the load's; the rest is as declared."""
        load = Load(
            paths=[{"path": "/", "method": "POST", "body": "a=1", "headers": {"Host": "b"}, "status": 404}, "/two"],
            headers={"Host": "a", "Accept": "*/*"},
        )
        first, second = load.requests

        assert ("POST", "a=1", {"Host": "b", "Accept": "*/*"}, 404) == (
            first.method, first.body, first.headers, first.status,
        )  # fmt: skip
        assert ("GET", "", {"Host": "a", "Accept": "*/*"}, None) == (
            second.method, second.body, second.headers, second.status,
        )  # fmt: skip

    def test_requests_of_users(self):
        """Each user sends the next request of the mix, round robin."""
        assert [0, 1, 0, 1, 0] == make_case(requests=REQUESTS, users=5).requests_of_stampede()


@pytest.fixture
def sites(tmp_path):
    """A directory with one site of two scripts."""
    for script in ("default", "deferred"):
        file = tmp_path / "sites" / "books" / "scripts" / f"{script}.wsgi"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    return tmp_path / "sites"


def cases(sites, text=GOOD, **options):
    path = sites.parent / "books.toml"
    return expand(parse_scenario(text, str(path)), path, sites, **options)


class TestExpand:
    def test_case_ids(self, sites):
        """A case for each mode and script, named file::mode::script::schedule."""
        assert [
            "books::daemon::default::natural",
            "books::daemon::deferred::natural",
            "books::embedded::default::natural",
            "books::embedded::deferred::natural",
        ] == [case.id for case in cases(sites)]

    def test_script_path(self, sites):
        """A case's script is the file in the site's scripts directory."""
        assert (sites / "books" / "scripts" / "default.wsgi").resolve() == cases(sites)[0].script_path

    def test_first_expectation(self, sites):
        """A case gets the first expectation that selects it."""
        own = '[[expect]]\nscripts = ["deferred"]\nmodes = ["daemon"]\nverdict = "race"\noutcomes = {}\n'
        verdicts = {
            case.id: case.expectation.verdicts for case in cases(sites, GOOD.replace("[[expect]]", own + "[[expect]]"))
        }

        assert ("race",) == verdicts.pop("books::daemon::deferred::natural")
        assert {("clean",)} == set(verdicts.values())

    def test_overridden_values(self, sites):
        """Trials, seed and runtime can be overridden, the seed by 0 too."""
        (case, *_) = cases(sites, trials=3, seed=0, runtime="other")

        assert (3, 0, "other") == (case.trials, case.seed, case.runtime)

    def test_as_declared(self, sites):
        """... and are as declared if they are not."""
        (case, *_) = cases(sites, top("trials = 9\nseed = 8"))

        assert (9, 8, "py311-django52") == (case.trials, case.seed, case.runtime)

    def test_no_site(self, sites):
        """The error for a missing site names its path, the nearest site and all that exist."""
        with pytest.raises(BadInput) as caught:
            cases(sites, changed('"books"', '"boks"'))

        message = str(caught.value)
        assert message.startswith(f"{sites.parent}/books.toml: site: there is no directory {sites}/boks; ")
        assert "did you mean 'books'? (sites: books)" in message

    def test_no_sites(self, tmp_path):
        """If there is no directory of sites at all, the error names it."""
        with pytest.raises(BadInput, match=r"there is no directory .*/nowhere/books$"):
            cases(tmp_path / "nowhere")

    def test_no_script(self, sites):
        """The error for a missing script does the same."""
        (sites / "books" / "scripts" / "deferred.wsgi").rename(sites / "books" / "scripts" / "defered.wsgi")
        with pytest.raises(BadInput) as caught:
            cases(sites)

        message = str(caught.value)
        assert f"scripts: there is no file {sites}/books/scripts/deferred.wsgi; did you mean 'defered'?" in message
        assert "(scripts: default, defered)" in message
