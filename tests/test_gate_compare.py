"""What the gate calls worse, and what it does not: each with its near-twin."""

import msgspec
import pytest

from harness.cases.scenario import Thresholds
from harness.errors import BadInput
from harness.gate.compare import (
    alarms,
    compare_counts,
    compare_observed,
    compare_thresholds,
    compare_times,
    compare_with,
)
from harness.gate.records import BASELINE_VERSION, Baseline, CaseCounts, read_baseline, write_baseline
from harness.gate.summary import Outcome, lines, markdown, write_summary

SINCE = "since baseline main of 2026-11-25 (run r)"


def observed(**changed):
    """Twenty clean trials of a case."""
    fields = {
        "case": "mysite::daemon::default::natural",
        "schedule": "natural",
        "mode": "daemon",
        "restart": "respawn",
        "processes": 1,
        "threads": 15,
        "users": 15,
        "runtime": "django52",
        "backend": "local",
        "verdict": "hazard",
        "reason": "",
        "made": 21,
        "trials": 20,
        "bad_trials": 0,
        "bad": {},
        "dropped": 0,
        "cold": 20,
        "lazy": {"import library.views": 20, "resolver library.urls": 9},
        "lazy_in_request": 16,
        "first_over_warm": tuple(30.0 + number for number in range(12)),
    }
    return CaseCounts(**{**fields, **changed})


def baseline(*cases):
    return Baseline(
        schema_version=BASELINE_VERSION,
        name="main",
        run="r",
        made="2026-11-25T02:00:00Z",
        environment={},
        cases=cases or (observed(),),
    )


def sentences(old, new):
    return [alarm.sentence for alarm in alarms(compare_observed(old, new, SINCE))]


def test_the_same_again_is_no_alarm():
    """Counts that differ as chance lets them differ."""
    again = observed(lazy={"import library.views": 20, "resolver library.urls": 13}, dropped=1)
    assert [] == sentences(observed(), again)


def test_initialisation_moved_into_requests():
    """Lazy in 20 of 20 trials and never before is an alarm; the sentence says what, how often, since when."""
    new = observed(lazy={**observed().lazy, "urlconf mysite.urls": 20})
    assert 1 == len(sentences(observed(), new))
    for fragment in ("'urlconf mysite.urls'", "20 of 20 (before: 0 of 20)", "mysite::daemon", "since baseline main"):
        assert fragment in sentences(observed(), new)[0]


def test_initialisation_moved_out_of_requests():
    """The near-twin: the same step, moved in the other direction, is no alarm."""
    old = observed(lazy={**observed().lazy, "urlconf mysite.urls": 20})
    assert [] == sentences(old, observed())


def test_a_lost_lock_is_an_alarm():
    """Trials that initialise twice where none did."""
    new = observed(bad={"duplicate-init": 14}, bad_trials=14, verdict="race")
    assert "trials initialise twice" in sentences(observed(), new)[0]


def test_dropped_requests_count_in_all_trials():
    """A trial that lost its first request is seldom effective: its count may exceed the effective ones."""
    assert "dropped requests in 21 of 21" in sentences(observed(), observed(dropped=21, trials=2))[0]


def test_one_bad_trial_more_is_none():
    """One in twenty may be chance: its near-twin."""
    assert [] == sentences(observed(bad={"duplicate-init": 1}), observed(bad={"duplicate-init": 2}))


def test_new_race_class_is_worse():
    """A new class of race is an alarm though all trials were bad before: as many are, but now requests fail."""
    old = observed(bad={"duplicate-init": 20}, bad_trials=20)
    new = observed(bad={"failed-request": 20, "duplicate-init": 20}, bad_trials=20)
    assert "failed or wrong answers" in sentences(old, new)[0]


def test_newly_broken_case_is_worse():
    """A case that is broken now is an alarm, whatever its counts; one that was broken before is none."""
    new = observed(verdict="broken", reason="GET / fails", trials=0, cold=0, lazy={}, first_over_warm=())
    assert "is broken now" in sentences(observed(), new)[0]
    assert [] == sentences(new, new)


def test_dearer_first_request_is_worse():
    """A first request three times as dear, over the warm ones of its own run, is an alarm; a fifth more is none."""
    old = observed()
    assert "times a warm one" in sentences(old, observed(first_over_warm=tuple(3 * e for e in old.first_over_warm)))[0]
    assert [] == sentences(old, observed(first_over_warm=tuple(1.2 * e for e in old.first_over_warm)))


def test_different_runs_are_not_compared():
    """Runs made in another way, as with other threads, are not compared: bad input that says which."""
    with pytest.raises(BadInput, match="threads is 5 and was 15"):
        compare_observed(observed(), observed(threads=5), SINCE)


def test_other_scenarios_baseline_is_refused():
    """A baseline of another scenario is refused with what it has; where it knows a part, unknown cases are listed."""
    with pytest.raises(BadInput, match="of another scenario: it has mysite"):
        compare_with(baseline(), [observed(case="shop::daemon::default::natural")])
    _, unknown = compare_with(baseline(), [observed(), observed(case="mysite::daemon::new::natural")])
    assert ["mysite::daemon::new::natural"] == unknown


def test_thresholds_are_limits():
    """At the limit is right; one over it is not."""
    limits = Thresholds(lazy_in_request=16, bad_trials=0)
    assert [] == compare_thresholds(limits, observed())
    over = alarms(compare_thresholds(limits, observed(lazy_in_request=17, bad_trials=1)))
    assert 2 == len(over)
    assert any("threshold lazy_in_request allows 16" in alarm.sentence for alarm in over)


def test_threshold_is_exceeded_beyond_chance():
    """All of twelve cold starts over the threshold: worse. Seven of twelve may be chance: no alarm."""
    limits = Thresholds(first_request_over_warm="<= 3")
    all_over = observed(first_over_warm=(4.0,) * 12)
    assert 1 == len(alarms(compare_thresholds(limits, all_over)))
    some = observed(first_over_warm=(4.0,) * 7 + (2.0,) * 5)
    assert [] == alarms(compare_thresholds(limits, some))


def test_times_are_told_with_their_bound():
    """A start 30 % slower, in words; 5 % are within the tolerance."""
    slower = [(0.20 + 0.001 * number, 1.3 * (0.20 + 0.0012 * number)) for number in range(16)]
    (alarm,) = alarms(compare_times("c", {"the CPU time of a cold start": slower}, "since v1"))
    assert "the CPU time of a cold start is +3" in alarm.sentence
    assert "at least +" in alarm.sentence
    alike = [(old, 1.05 * old) for old, _ in slower]
    assert [] == alarms(compare_times("c", {"the CPU time of a cold start": alike}, "since v1"))


def test_constant_items_weaken_no_test():
    """A hundred imports in each request, before and after: the one that came is still found in ten trials of ten."""
    always = {f"import module{number}": 10 for number in range(100)}
    old, new = observed(lazy=always, cold=10), observed(lazy={**always, "urlconf late": 10}, cold=10)
    assert 1 == len(alarms(compare_counts(old, new, SINCE)))


# -- stored baselines ------------------------------------------------------------------------------------


def test_baseline_round_trip(tmp_path):
    """A baseline is read as it was written, and holds no absolute time."""
    path = write_baseline(baseline(), tmp_path)
    assert tmp_path / "baselines" / "main.json" == path
    assert baseline() == read_baseline("main", tmp_path)
    assert not any(word in path.read_text() for word in ('_ms"', '_s"', "seconds"))


def test_missing_baseline_is_named(tmp_path):
    """A baseline that is not there is bad input that names the nearest one, and how to make it."""
    write_baseline(baseline(), tmp_path)
    with pytest.raises(
        BadInput, match=r"mian.json: there is no such baseline; did you mean 'main'\?.*harness baseline"
    ):
        read_baseline("mian", tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"schema_version": 2}', "[1]", "\xff"])
def test_other_schema_is_bad_input(tmp_path, text):
    """A baseline of another schema is bad input, whatever is in the file."""
    write_baseline(baseline(), tmp_path).write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match="not a baseline of this version"):
        read_baseline("main", tmp_path)


def test_a_path_is_no_name(tmp_path):
    """Nothing is read or written outside of the directory."""
    with pytest.raises(BadInput, match="expected letters"):
        read_baseline("../main", tmp_path)


# -- what is told ----------------------------------------------------------------------------------------


def outcome(new=None, **more):
    tests = compare_observed(observed(), new or observed(), SINCE)
    return Outcome("baseline main", tuple(tests), observed=(new or observed(),), **more)


def test_outcome_has_exit_code():
    """The exit code is 0, 1 or 3, with a headline; what got worse outweighs what is inconclusive."""
    worse = observed(lazy={**observed().lazy, "urlconf a|b<c>": 20})
    assert (0, "gate: not worse") == (outcome().exit_code, outcome().headline[:15])
    assert 1 == outcome(worse, inconclusive=("x",)).exit_code
    assert 3 == outcome(inconclusive=("x",)).exit_code
    assert "worse: mysite::daemon" in "\n".join(lines(outcome(worse)))


def test_markdown_escapes_names():
    """The Markdown is a table that names cannot break: a bar or a bracket in one is escaped."""
    text = markdown(outcome(observed(lazy={**observed().lazy, "urlconf a|b<c>": 20})))
    assert "❌" in text
    assert "a\\|b&lt;c>" in text
    assert "| mysite::daemon::default::natural | hazard | 20 |" in text


def test_summary_file(tmp_path, monkeypatch):
    """Appended where the CI service asks; a named file is written anew; one without its directory is bad input."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "step.md"))
    write_summary("a\n", None)
    write_summary("b\n", None)
    assert "a\nb\n" == (tmp_path / "step.md").read_text()
    write_summary("c\n", tmp_path / "own.md")
    assert "c\n" == (tmp_path / "own.md").read_text()
    with pytest.raises(BadInput, match="cannot be written"):
        write_summary("d\n", tmp_path / "none" / "own.md")


def test_a_baseline_survives_json():
    """Frozen records, all the way down."""
    assert baseline() == msgspec.json.decode(msgspec.json.encode(baseline()), type=Baseline)
