"""The page of a run: made from what is stored, whatever that is, and nothing in it is taken for markup."""

import re
from html.parser import HTMLParser

import msgspec
import pytest
from build import (
    CONTROLS,
    make_answer,
    make_case,
    make_control,
    make_expectation,
    make_failing_trial,
    make_inside,
    make_request_span,
    make_span,
    make_trial,
    replaced,
    store_run,
)

from harness.advice import Advice
from harness.errors import BadInput
from harness.records import Request
from harness.report.headline import headline
from harness.report.html import MOST_BARS_OF_A_PAGE, render, write_html
from harness.result import RunResult, SkippedCase
from harness.store.regrade import regrade

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}&amp;</style>--><!--"


class Page(HTMLParser):
    """What a browser would see: elements, their attributes, and text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.text, self.source = [], "", source
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def classed(self, name):
        return [attrs for _, attrs in self.elements if name in (attrs.get("class") or "").split()]


def page(directory):
    return Page(render(directory, regrade(directory)))


def racing(**changes):
    """A case whose one trial fails a request that no control failed."""
    return make_case(trials=1, **changes), *CONTROLS, make_failing_trial()


class TestVerdict:
    def test_first(self, tmp_path):
        """The page begins with what the run has come to, before any case."""
        seen = page(store_run(tmp_path, racing()))
        assert 0 < seen.text.index("A race in 1 of 1 case") < seen.text.index("Cases")

    @pytest.mark.parametrize(
        ("expected", "level", "title"),
        [
            (None, "bad", "A race in 1 of 1 case"),
            ("clean", "bad", "1 of 1 case not as expected"),
            ("race", "good", "The one case is as expected"),
        ],
    )
    def test_by_what_is_expected(self, tmp_path, expected, level, title):
        """A race that is expected is no alarm; one that is not is."""
        outcomes = {"ok": "expected", "error": "acceptable"}
        expectation = expected and make_expectation(expected, outcomes)
        head = headline(regrade(store_run(tmp_path, racing(expectation=expectation))))
        assert (level, title) == (head.level, head.title)

    def test_no_race(self, tmp_path):
        """Without a race it says how much that proves."""
        head = headline(regrade(store_run(tmp_path, (make_case(trials=1), *CONTROLS, make_trial()))))
        assert ("good", "No race in 1 case") == (head.level, head.title)
        assert "at most 95.0 %" in head.sentence

    def test_inconclusive(self, tmp_path):
        """A run that proves nothing is neither good nor bad."""
        warm = make_trial(make_answer(0, count=7), make_answer(1, count=8))
        head = headline(regrade(store_run(tmp_path, (make_case(), *CONTROLS, warm))))
        assert ("open", "1 of 1 case inconclusive") == (head.level, head.title)

    def test_interrupted(self, tmp_path):
        """A run that was interrupted says so, though what it kept is good."""
        directory = store_run(tmp_path, (make_case(), *CONTROLS, *([make_trial()] * 12)), status="interrupted")
        head = headline(regrade(directory))
        assert ("open", "Not finished") == (head.level, head.title)
        assert "interrupted" in head.sentence

    def test_nothing(self):
        """A run without cases has a page too."""
        head = headline(RunResult(schema_version=1, run="r", status="complete", environment={}, cases=[], skipped=[]))
        assert "Nothing was run" == head.title


class TestContents:
    def test_declared_outcomes(self, tmp_path):
        """Outcomes stand with how they were declared and the sentence why; one that nobody declared says so."""
        expectation = make_expectation("race", {"ok": "expected", "crash": "forbidden"})
        text = page(store_run(tmp_path, racing(expectation=expectation))).text
        for part in ("a sentence of its own", "forbidden", "not declared"):
            assert part in text

    def test_the_witness(self, tmp_path):
        """A race shows the trial of its finding, with the failing request marked."""
        seen = page(store_run(tmp_path, (make_case(), *CONTROLS, make_trial(), make_failing_trial(7))))
        assert "Trial 7" in seen.text
        (failing,) = [bar for bar in seen.classed("m-bad") if "k-request" in bar["class"] and "href" in bar]
        assert failing["href"].startswith("#")

    def test_bars_lead_to_rows(self, tmp_path):
        """Each bar is a link to its row in the table: without JavaScript too."""
        seen = page(store_run(tmp_path, racing()))
        ids = {attrs["id"] for tag, attrs in seen.elements if tag == "tr" and "id" in attrs}
        links = [attrs["href"][1:] for tag, attrs in seen.elements if tag == "a" and "style" in attrs]
        assert len(links) == len(ids)
        assert ids == set(links)

    def test_a_broken_case(self, tmp_path):
        """A case that fails one request at a time shows a control, for it has no trial."""
        broken = make_control(make_answer(0, status=500), make_answer(1, status=500))
        text = page(store_run(tmp_path, (make_case(), broken, broken))).text
        assert "Control 1" in text
        assert "this is no race" in text

    def test_a_hazard(self, tmp_path):
        """A hazard shows the trial that waited longest."""

        def lazy(number, end):
            spans = (
                make_request_span(0, name=f"{number}.0"),
                make_request_span(1, name=f"{number}.1"),
                make_span("urlconf", 1.2, end),
            )
            return make_trial(number=number, inside=(make_inside(*spans),))

        trials = (lazy(1, 1.3), lazy(2, 1.6), lazy(3, 1.4))
        assert "Trial 2" in page(store_run(tmp_path, (make_case(), *CONTROLS, *trials))).text

    def test_skipped(self, tmp_path):
        """A case that could not run is on the page with its reason."""
        directory = store_run(tmp_path, racing(), skipped=[SkippedCase(case="old::one", reason="no Python 2.7")])
        assert "no Python 2.7" in page(directory).text

    def test_as_small_as_it_can_be(self, tmp_path):
        """However many cases a run has, its page is bounded: those that are not as expected get the room."""
        spans = [make_request_span(0), make_request_span(1)]
        spans += [make_span("import", 1.2 + n / 1000, 1.9, name=f"m{n}") for n in range(250)]
        many = make_trial(inside=(make_inside(*spans),))
        stored = [(make_case(id=f"s::daemon::x{n}::natural", trials=1), *CONTROLS, many) for n in range(20)]
        directory = store_run(tmp_path, *stored, racing())
        seen = page(directory)
        assert 1 == seen.text.count("Trial 1: a cold process and its simultaneous first requests")
        assert "no room" in seen.text
        assert (
            len([1 for tag, attrs in seen.elements if tag == "a" and "--b" in attrs.get("style", "")])
            <= MOST_BARS_OF_A_PAGE
        )
        assert len(seen.source) < 1_000_000


class TestUntrusted:
    @pytest.fixture
    def hostile(self, tmp_path):
        """A run in which everything that a site or a user names is hostile."""
        requests = (Request(path=f"/{HOSTILE}"), Request(path="/two/"))
        case = make_case(scenario=HOSTILE, script=HOSTILE, runtime=HOSTILE, requests=requests, trials=1)
        trial = make_failing_trial(error=f"ValueError: {HOSTILE}")
        (inside,) = trial.evidence.inside
        spans = tuple(
            msgspec.structs.replace(span, name=HOSTILE) if span.kind == "import" else span for span in inside.spans
        )
        trial = replaced(trial, inside=(msgspec.structs.replace(inside, spans=spans, strategy=HOSTILE),))
        controls = [make_control(make_answer(0, body=HOSTILE), make_answer(1, body=HOSTILE)) for _ in range(2)]
        skipped = [SkippedCase(case=HOSTILE, reason=HOSTILE)]
        return store_run(tmp_path, (case, *controls, trial), skipped=skipped, environment={HOSTILE: HOSTILE})

    def test_is_text(self, hostile):
        """Markup in names, paths, errors and tracebacks is shown as it is, and makes no element."""
        seen = page(hostile)
        tags = [tag for tag, _ in seen.elements]
        assert 1 == tags.count("script")
        assert "img" not in tags
        assert not [name for _, attrs in seen.elements for name in attrs if name.startswith("on")]
        assert "<script>alert(1)</script>" in seen.text

    def test_only_its_own_script_may_run(self, hostile):
        """Even markup that slipped through could not run: the policy names the page's one script by its digest."""
        (policy,) = [attrs["content"] for _, attrs in page(hostile).elements if "http-equiv" in attrs]
        assert re.search(r"default-src 'none';.*script-src 'sha256-[A-Za-z0-9+/]{43}='$", policy)

    def test_asks_for_nothing(self, hostile):
        """The page loads nothing: no address of another file or host in it."""
        seen = page(hostile)
        loaded = [
            attrs.get(name) for tag, attrs in seen.elements for name in ("src", "href") if tag != "a" and name in attrs
        ]
        assert ["data:,"] == loaded
        assert "@import" not in seen.source
        assert "url(" not in seen.source

    def test_half_a_character(self, tmp_path):
        """Text that is no Unicode is written all the same."""
        directory = store_run(tmp_path, racing())
        result = msgspec.structs.replace(regrade(directory), environment={"name": "\ud800"})
        assert write_html(directory, result).is_file()


class TestOldAndDamaged:
    def test_without_a_result(self, tmp_path):
        """A run that was killed has only its histories: its page is made from them."""
        directory = store_run(tmp_path, racing())
        (directory / "result.json").unlink()
        assert "interrupted" in page(directory).text

    def test_of_another_version(self, tmp_path):
        """A result that lacks fields of today is read as far as it goes."""
        directory = store_run(tmp_path, racing())
        (directory / "result.json").write_text(
            '{"status": "complete", "cases": [{"case": "x", "verdict": "odd"}], "new": 1}'
        )
        assert "A race in 1 of 1 case" in page(directory).text

    def test_cut_short(self, tmp_path):
        """A history whose last line was cut by a kill is read up to there."""
        directory = store_run(tmp_path, racing())
        (path,) = (directory / "cases").iterdir()
        path.write_bytes(path.read_bytes() + b'{"type":"trial","num')
        assert "Trial 1" in page(directory).text

    def test_without_a_trial(self, tmp_path):
        """A case that was stopped before its first trial has a section and no timeline."""
        seen = page(store_run(tmp_path, (make_case(), *CONTROLS)))
        assert not seen.classed("timeline")
        assert "inconclusive" in seen.text

    def test_unwritable(self, tmp_path):
        """A page that cannot be written is named."""
        directory = store_run(tmp_path, racing())
        (directory / ".report.html.part").mkdir()
        with pytest.raises(BadInput, match=r"report\.html: the report cannot be written"):
            write_html(directory, regrade(directory))


class TestStoryAndFix:
    def test_the_fix(self, tmp_path, monkeypatch):
        """What to do stands under what was found, with the lines of a script escaped."""
        advice = [Advice(about="urlconf", says="import the URLconf", lines=("a <b> = 1",))]
        monkeypatch.setattr("harness.report.html.advise", lambda case, paths: advice)
        seen = page(store_run(tmp_path, racing()))
        assert seen.text.index("got status 500") < seen.text.index("The fix") < seen.text.index("a <b> = 1")

    def test_nothing_to_advise(self, tmp_path, monkeypatch):
        """Where there is no advice there is no heading for it."""
        monkeypatch.setattr("harness.report.html.advise", lambda case, paths: ())
        assert "The fix" not in page(store_run(tmp_path, racing())).text
