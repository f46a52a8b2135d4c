"""Verdicts, each told from its near-twin, and whether an expectation is met."""

from collections import Counter

import pytest
from build import make_case, make_expectation, make_finding, make_grade, make_lazy, make_tally

from harness.cases.scenario import Thresholds
from harness.result import case_result, exit_code
from harness.verdict import SETTLED_AFTER, conclude, forbidden, undeclared, unmet, upper_bound


def verdict(*grades, stopped=False, **fields):
    return conclude(make_tally(*grades, **fields), stopped)


def name(*grades, **fields):
    return verdict(*grades, **fields).name


def met(expectation, *grades, **fields):
    tally = make_tally(*grades, **fields)
    return not unmet(conclude(tally, expectation=expectation), tally, expectation)


def result(*grades, expectation=None, fail_on_hazard=False, **fields):
    tally = make_tally(*grades, **fields)
    return case_result(
        make_case(expectation=expectation),
        tally,
        duration=1.0,
        backend="local",
        versions={},
        fail_on_hazard=fail_on_hazard,
    )


CLEAN = make_grade()
RACE = make_grade({"ok": 1, "error": 1})
HAZARD = make_grade(lazy=(make_lazy(waiters=1),))
NOT_EFFECTIVE = make_grade(effective=False)
BROKEN = {"broken": make_finding(broken_class="error")}


class TestUpperBound:
    @pytest.mark.parametrize("trials", [1, 5, 60, 300, 10_000])
    def test_exact(self, trials):
        """0 bad in n leave 1 - 0.05^(1/n) possible at 95 %."""
        assert pytest.approx(1 - 0.05 ** (1 / trials), rel=1e-12) == upper_bound(trials)

    def test_rule_of_three(self):
        """... which is about 3/n."""
        assert pytest.approx(3 / 300, rel=0.01) == upper_bound(300)

    def test_nothing_tried(self):
        """No trial supports no bound."""
        assert upper_bound(0) is None

    def test_effective_trials(self):
        """A verdict's bound counts effective trials only."""
        assert upper_bound(3) == verdict(CLEAN, CLEAN, CLEAN, NOT_EFFECTIVE).bound

    @pytest.mark.parametrize("grades", [(RACE,), (NOT_EFFECTIVE,)])
    def test_no_bound(self, grades):
        """A race or an inconclusive case has no bound."""
        assert verdict(*grades).bound is None


class TestClean:
    def test_clean(self):
        """Effective trials without a race or lazy work are clean."""
        assert "clean" == name(CLEAN, CLEAN)

    def test_lazy_alone(self):
        """Lazy work that nobody waited for is clean."""
        assert "clean" == name(make_grade(lazy=(make_lazy(waiters=0),)))

    def test_half_effective(self):
        """Half of the trials effective is enough; fewer are not."""
        assert "clean" == name(CLEAN, NOT_EFFECTIVE)
        assert "inconclusive" == name(CLEAN, NOT_EFFECTIVE, NOT_EFFECTIVE)


class TestHazard:
    def test_waiters(self):
        """Lazy work that another request was there for, even once, is a hazard."""
        assert "hazard" == name(CLEAN, HAZARD, CLEAN)

    def test_warm(self):
        """Lazy work of a warm process does not count."""
        warm = make_grade(cold=False, effective=False, lazy=(make_lazy(),))

        assert "clean" == name(CLEAN, warm)

    def test_counted(self):
        """Of each kind the count, the longest and the most waiters are kept."""
        tally = make_tally(
            make_grade(lazy=(make_lazy(milliseconds=5.0, waiters=3), make_lazy("resolver", waiters=1))),
            make_grade(lazy=(make_lazy(milliseconds=7.0, waiters=2),)),
        )

        settings = tally.hazards["settings"]
        assert (2, 7.0, 3) == (settings.count, settings.max_ms, settings.max_waiters)
        assert 1 == tally.hazards["resolver"].count
        assert 2 == tally.lazy_in_request


class TestRace:
    @pytest.mark.parametrize(
        ("race_class", "outcome"),
        [
            ("failed-request", "error"),
            ("failed-request", "wrong"),
            ("failed-request", "crash"),
            ("failed-request", "poisoned"),
            ("hang", "hang"),
            ("duplicate-init", "duplicate-init"),
        ],
    )
    def test_class(self, race_class, outcome):
        """One such outcome in one effective trial is a race of its class."""
        found = verdict(CLEAN, make_grade({"ok": 1, outcome: 1}))

        assert ("race", race_class) == (found.name, found.race_class)

    @pytest.mark.parametrize("outcome", ["slow", "dropped", "unknown"])
    def test_none(self, outcome):
        """Slow, dropped and unknown answers are no race."""
        assert "race" != name(CLEAN, make_grade({"ok": 1, outcome: 1}))

    def test_gravest(self):
        """Of several classes the gravest is told: a hang before a failure before duplicate work."""
        duplicate = make_grade({"ok": 2, "duplicate-init": 1})
        hang = make_grade({"ok": 1, "hang": 1})

        assert "failed-request" == verdict(duplicate, RACE).race_class
        assert "hang" == verdict(duplicate, RACE, hang).race_class

    def test_not_effective(self):
        """A failure in a trial that was not effective is no race: inconclusive, and not hidden."""
        found = verdict(CLEAN, CLEAN, make_grade({"error": 1}, effective=False))

        assert "inconclusive" == found.name
        assert "1 error in trials that were not effective" == found.reason

    def test_outweighs(self):
        """A race is a race though most trials were not effective and a checker failed."""
        failed = make_grade(effective=False, failed_checkers=("checker x failed",))

        assert "race" == name(RACE, failed, failed, failed)

    def test_bad_trials(self):
        """A trial with several bad outcomes is one bad trial."""
        tally = make_tally(CLEAN, make_grade({"error": 3, "wrong": 1, "duplicate-init": 1}))

        assert 1 == tally.bad
        assert "1 of 2 trials were bad" == conclude(tally).reason


class TestBroken:
    def test_broken(self):
        """A site that fails one request at a time is broken, with the class of its failure."""
        found = verdict(broken=make_finding(summary="fails alone", broken_class="poisoned"))

        assert ("broken", "poisoned", "fails alone") == (found.name, found.broken_class, found.reason)

    def test_no_race(self):
        """... and nothing said of it is a race."""
        assert "broken" == name(RACE, **BROKEN)


class TestInconclusive:
    def test_no_trial(self):
        """Nothing tried proves nothing."""
        assert "inconclusive" == name()

    def test_told_so(self):
        """A reason given by the control is the reason."""
        assert ("inconclusive", "raise load.timeout") == (
            (found := verdict(CLEAN, inconclusive="raise load.timeout")).name, found.reason,
        )  # fmt: skip

    def test_failed_checker(self):
        """One failed checker in one trial is enough."""
        assert "inconclusive" == name(CLEAN, make_grade(failed_checkers=("checker x failed",)))

    def test_dropped(self):
        """A dropped request that nobody declared is never clean; declared, it does not matter."""
        tally = make_tally(CLEAN, CLEAN, make_grade({"ok": 1, "dropped": 1}))
        declared = make_expectation("clean", {"ok": "expected", "dropped": "acceptable"})

        assert "1 requests were dropped, and no outcome declares it" == conclude(tally).reason
        for expected, expectation in (
            ("inconclusive", None),
            ("inconclusive", make_expectation()),
            ("clean", declared),
        ):
            assert expected == conclude(tally, expectation=expectation).name

    def test_counts_told(self):
        """Too few effective trials: the reason tells how many, of how many, and how many were cold and slow."""
        reason = verdict(CLEAN, *[make_grade({"slow": 2}, effective=False, cold=False)] * 3).reason

        assert "only 1 of 4 trials were effective (1 cold, 6 requests were slow)" in reason

    @pytest.mark.parametrize(
        "grades",
        [
            [make_grade(number=n, failed_checkers=(f"checker {n} failed",)) for n in (1, 2)],
            [make_grade({outcome: 1}, effective=False) for outcome in ("error", "hang")],
        ],
        ids=["checkers", "strays"],
    )
    def test_order(self, grades):
        """The reason is the same in whatever order the trials ended."""
        assert verdict(*grades).reason == verdict(*reversed(grades)).reason

    @pytest.mark.parametrize(("expected", "trials"), [("inconclusive", SETTLED_AFTER - 1), ("clean", SETTLED_AFTER)])
    def test_stopped(self, expected, trials):
        """A run stopped after a few trials proves nothing; after some more it proves what they support."""
        assert expected == name(*[CLEAN] * trials, stopped=True)
        assert "clean" == name(*[CLEAN] * trials, stopped=False)


class TestReload:
    RELOADED = make_grade(cold=False, effective=False, reloaded=True)

    def test_reload(self):
        """In a reload case reloads are what is judged."""
        assert "clean" == name(self.RELOADED, reload=True)
        assert "race" == name(make_grade({"error": 1}, cold=False, effective=False, reloaded=True), reload=True)

    def test_cold_case(self):
        """In any other case a reload is no cold start."""
        assert "inconclusive" == name(self.RELOADED)

    def test_cold_trial(self):
        """In a reload case a cold start is no reload."""
        assert "inconclusive" == name(CLEAN, reload=True)


class TestSettled:
    RACY = make_expectation("race", {"ok": "expected", "error": "acceptable"})

    def settled(self, expectation, races, trials):
        return make_tally(*[RACE] * races, *[CLEAN] * (trials - races)).settled(expectation)

    def test_race_seen(self):
        """An expected race is settled once it was seen and its rate had a few trials."""
        assert self.settled(self.RACY, 1, SETTLED_AFTER)

    def test_too_early(self):
        """... not before."""
        assert not self.settled(self.RACY, 1, SETTLED_AFTER - 1)

    def test_not_seen(self):
        """... nor while it was not seen."""
        assert not self.settled(self.RACY, 0, 100)

    def test_class(self):
        """Where a class is expected, only that class settles it."""
        assert self.settled(make_expectation("race", race_class="failed-request"), 1, SETTLED_AFTER)
        assert not self.settled(make_expectation("race", race_class="hang"), 1, SETTLED_AFTER)

    @pytest.mark.parametrize(
        "expectation",
        [None, make_expectation("clean"), make_expectation(["race", "clean"])],
        ids=["none", "clean", "two"],
    )
    def test_other_expectations(self, expectation):
        """Nothing else is ever settled early."""
        assert not self.settled(expectation, 5, 100)


class TestMet:
    def test_verdict(self):
        """The verdict must be one of those expected."""
        assert met(make_expectation("clean"), CLEAN)
        assert met(make_expectation(["hazard", "clean"]), HAZARD)
        assert not met(make_expectation("clean"), HAZARD)
        assert not met(make_expectation("race"), CLEAN)

    @pytest.mark.parametrize(("expected", "race_class"), [(True, None), (True, "failed-request"), (False, "hang")])
    def test_race_class(self, expected, race_class):
        """A race must be of the class expected, if one is."""
        declared = {"ok": "expected", "error": "acceptable"}

        assert expected == met(make_expectation("race", declared, race_class=race_class), RACE)

    @pytest.mark.parametrize(("expected", "broken_class"), [(True, None), (True, "error"), (False, "poisoned")])
    def test_broken_class(self, expected, broken_class):
        """So must a broken site."""
        assert expected == met(make_expectation("broken", broken_class=broken_class), **BROKEN)

    def test_undeclared(self):
        """An outcome that nobody declared is not met, and told as unknown."""
        expectation = make_expectation("race", {"ok": "expected"})
        tally = make_tally(RACE)

        assert ["error"] == undeclared(tally, expectation)
        assert not met(expectation, RACE)
        told = result(RACE, expectation=expectation)
        assert {"ok": 1, "unknown": 1} == told.outcomes
        assert ["outcome error (1) is not declared"] == told.unmet

    def test_declared(self):
        """Declared, it is told by its own name."""
        told = result(RACE, expectation=make_expectation("race", {"ok": "expected", "error": "acceptable"}))

        assert (True, {"ok": 1, "error": 1}, []) == (told.met, told.outcomes, told.unmet)

    def test_undeclared_in_vain(self):
        """An undeclared outcome of a trial that was not effective counts too."""
        dropped = make_grade({"ok": 1, "dropped": 1}, effective=False)

        assert not met(make_expectation("clean"), CLEAN, dropped)
        assert met(make_expectation("clean", {"ok": "expected", "dropped": "acceptable"}), CLEAN, dropped)

    def test_forbidden(self):
        """An outcome that is forbidden is not met, though the verdict is the one expected."""
        declared = {"ok": "expected", "error": "acceptable", "poisoned": "forbidden"}
        expectation = make_expectation("race", declared)
        poisoned = make_grade({"ok": 1, "error": 1, "poisoned": 1})

        assert met(expectation, RACE)
        assert ["poisoned"] == forbidden(make_tally(poisoned), expectation)
        assert not met(expectation, poisoned)
        (reason,) = result(poisoned, expectation=expectation).unmet
        assert "outcome poisoned (1) is forbidden: a sentence of its own" == reason

    def test_reasons(self):
        """What is not met is told with what was expected and what came."""
        (verdict_reason,) = result(CLEAN, expectation=make_expectation(["race", "broken"])).unmet
        (class_reason,) = result(**BROKEN, expectation=make_expectation("broken", broken_class="hang")).unmet

        assert verdict_reason.startswith("expected race or broken, got clean: ")
        assert "expected class hang, got error" == class_reason


class TestNothingDeclared:
    @pytest.mark.parametrize(
        ("expected", "grades"), [(True, (CLEAN,)), (True, (HAZARD,)), (False, (RACE,)), (False, (NOT_EFFECTIVE,))]
    )
    def test_check(self, expected, grades):
        """Neither race nor inconclusive is as it should be; clean and hazard are."""
        assert expected == met(None, *grades)

    def test_broken(self):
        """Nor is broken."""
        assert not met(None, **BROKEN)

    def test_names(self):
        """Nothing is undeclared or forbidden, and no outcome is renamed."""
        tally = make_tally(RACE)

        assert ([], []) == (undeclared(tally, None), forbidden(tally, None))
        assert Counter(ok=1, error=1) == Counter(result(RACE).outcomes)

    def test_fail_on_hazard(self):
        """Asked to fail on a hazard, a hazard fails and clean does not."""
        assert (True, False) == (result(HAZARD).met, result(HAZARD, fail_on_hazard=True).met)
        assert result(CLEAN, fail_on_hazard=True).met

    def test_declared_hazard(self):
        """A hazard that is declared is met even then."""
        assert result(HAZARD, expectation=make_expectation("hazard"), fail_on_hazard=True).met


class TestThresholds:
    @pytest.mark.parametrize(
        ("limits", "grade", "reasons"),
        [
            ({"lazy_in_request": 0}, make_grade(lazy=(make_lazy(waiters=0),)), ["lazy_in_request is 1"]),
            ({"lazy_in_request": 1}, make_grade(lazy=(make_lazy(waiters=0),)), []),
            ({"lazy_in_request": 0}, CLEAN, []),
            ({"bad_trials": 0}, CLEAN, []),
            ({}, HAZARD, []),
        ],
    )
    def test_exceeded(self, limits, grade, reasons):
        """More than the scenario allows is not met, whatever the verdict, and the reason names the threshold."""
        tally = make_tally(grade)
        case = make_case(expectation=make_expectation(["clean", "hazard"]), thresholds=Thresholds(**limits))
        got = case_result(case, tally, duration=1.0, backend="local", versions={})

        assert (not reasons) == got.met
        assert reasons == [each.split(",")[0] for each in got.unmet]

    def test_scripts(self):
        """Thresholds that name scripts are theirs alone."""
        limits = Thresholds(scripts=["bootstrap"], lazy_in_request=0)

        assert 0 == limits.of("bootstrap").lazy_in_request
        assert limits.of("default").lazy_in_request is None

    def test_undeclared_verdict(self):
        """Where nothing is declared, a bad verdict and a threshold are two reasons; a sound verdict is none."""
        limits = Thresholds(bad_trials=0)

        def reasons(*grades):
            tally = make_tally(*grades)
            return unmet(conclude(tally), tally, None, limits)

        assert [] == reasons(CLEAN)
        assert ["the verdict is race", "bad_trials is 1"] == [
            each.split(":")[0].split(",")[0] for each in reasons(RACE)
        ]

    def test_sound_verdict(self):
        """A sound verdict does not outweigh a threshold, and the reason does not blame it."""
        tally = make_tally(HAZARD)

        assert ["lazy_in_request is 1, but thresholds.lazy_in_request allows 0"] == unmet(
            conclude(tally), tally, None, Thresholds(lazy_in_request=0)
        )


class TestExitCode:
    CASES = {  # noqa: RUF012 - read only
        "clean": result(CLEAN),
        "hazard": result(HAZARD),
        "race": result(RACE),
        "broken": result(**BROKEN),
        "inconclusive": result(NOT_EFFECTIVE),
        "expected-race": result(RACE, expectation=make_expectation("race", {"ok": "expected", "error": "acceptable"})),
        "expected-inconclusive": result(NOT_EFFECTIVE, expectation=make_expectation("inconclusive")),
    }

    @pytest.mark.parametrize(
        ("code", "names"),
        [
            (0, []),
            (0, ["clean", "hazard", "expected-race", "expected-inconclusive"]),
            (1, ["clean", "race"]),
            (1, ["broken"]),
            (3, ["clean", "inconclusive"]),
            (1, ["inconclusive", "race"]),
        ],
    )
    def test_code(self, code, names):
        """0 all met; 1 a contradiction, which outweighs 3; 3 inconclusive."""
        assert code == exit_code([self.CASES[each] for each in names])

    @pytest.mark.parametrize(("code", "names"), [(3, ["clean"]), (3, []), (1, ["race"])])
    def test_interrupted(self, code, names):
        """An interrupted run is 3, unless it has a contradiction already."""
        assert code == exit_code([self.CASES[each] for each in names], "interrupted")

    def test_fail_on_hazard(self):
        """A hazard that is to fail is 1."""
        assert 1 == exit_code([result(HAZARD, fail_on_hazard=True)])


class TestStories:
    def test_examples(self):
        """Findings of one key are counted together, and the first of them is shown."""
        findings = tuple(make_finding(summary=f"number {n}", key="one") for n in range(5))
        told = result(make_grade({"ok": 1, "error": 5}, findings=(*findings, make_finding(summary="else", key="two"))))

        assert [(5, "number 0"), (1, "else")] == [(each.count, each.summary) for each in told.findings]

    def test_first_trial(self):
        """The first is the one of the lowest trial, in whatever order the trials ended."""
        grades = [
            make_grade({"error": 1}, findings=(make_finding(summary=f"{n}", trial=n),)) for n in (12, 9, 10, 2, 11)
        ]

        assert ["2"] == [each.summary for each in result(*grades).findings]
        assert [2, 9, 10] == [each.trial for each in make_tally(*grades).examples["error"]]

    def test_broken_first(self):
        """What broke the site is told first."""
        told = result(make_grade(findings=(make_finding(summary="later"),)), **BROKEN)

        assert ["GET / failed", "later"] == [each.summary for each in told.findings]

    def test_bounded(self):
        """A site whose every failure differs does not fill the memory: from the 100th story on they are one."""
        tally = make_tally(*[make_grade({"error": 1}, findings=(make_finding(key=str(n)),)) for n in range(150)])

        assert 101 == len(tally.stories)
        assert 50 == tally.stories["(others)"]
