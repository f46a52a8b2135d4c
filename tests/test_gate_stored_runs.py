"""Two runs, case by case: what is worse, what chance alone could do, and what cannot be compared."""

import io

import pytest
from build import make_case, make_finding, make_grade, make_lazy, make_tally
from rich.console import Console

from harness.gate.stored_runs import compare
from harness.report.runs import print_comparison
from harness.result import RunResult, case_result

CLEAN = make_grade()
BAD = make_grade({"ok": 1, "error": 1}, findings=(make_finding(race_class="failed-request"),))
LAZY = make_grade(lazy=(make_lazy(),))
WARM = make_grade(cold=False, effective=False)


def result(*grades, **changes):
    case = make_case(**{"trials": len(grades), **changes})
    return case_result(case, make_tally(*grades), duration=1.0, backend="local", versions={"django": "5"})


def run(*cases):
    return RunResult(schema_version=1, run="r", status="complete", environment={}, cases=list(cases), skipped=[])


def change(before, after):
    (only,) = compare(run(before), run(after))
    return only


class TestVerdicts:
    @pytest.mark.parametrize(
        ("before", "after", "expected"),
        [
            ([CLEAN] * 20, [CLEAN] * 20, "same"),
            ([CLEAN] * 20, [LAZY] * 20, "worse"),
            ([LAZY] * 20, [CLEAN] * 20, "better"),
            ([LAZY] * 20, [BAD] * 20, "worse"),
            ([BAD] * 20, [LAZY] * 20, "better"),
            ([BAD] * 20, [BAD] * 20, "same"),
        ],
    )
    def test_by_rank(self, before, after, expected):
        """From clean over hazard to race it gets worse."""
        assert expected == change(result(*before), result(*after)).judgement

    def test_possibly_missed_race(self):
        """A race where none was seen is worse; that the first run may only have missed it is said."""
        changed = change(result(*[CLEAN] * 40), result(*[CLEAN] * 39, BAD))
        assert "worse" == changed.judgement
        assert any("chance alone" in sentence for sentence in changed.sentences)

    def test_inconclusive(self):
        """A case that proves nothing any more is worse; one that proved nothing before cannot be compared."""
        assert "worse" == change(result(*[CLEAN] * 4), result(*[WARM] * 4)).judgement
        assert "unknown" == change(result(*[WARM] * 4), result(*[BAD] * 4)).judgement
        assert "same" == change(result(*[WARM] * 4), result(*[WARM] * 4)).judgement


class TestRates:
    def test_more(self):
        """A rate that rose beyond chance is worse, one that fell is better."""
        rare, often = result(*[CLEAN] * 95, *[BAD] * 5), result(*[CLEAN] * 50, *[BAD] * 50)
        assert ("worse", "better") == (change(rare, often).judgement, change(often, rare).judgement)

    def test_chance(self):
        """A rate that differs by no more than chance is the same."""
        changed = change(result(*[CLEAN] * 15, *[BAD] * 5), result(*[CLEAN] * 12, *[BAD] * 8))
        assert "same" == changed.judgement
        assert any("chance alone" in sentence for sentence in changed.sentences)

    def test_more_cases_ask_for_more(self):
        """The error of 1 % is of the whole comparison: what one case would prove, one of many does not."""
        before = [result(*[CLEAN] * 20, *[BAD] * 2, id=f"c{n}::daemon::x::natural") for n in range(300)]
        after = [result(*[CLEAN] * 10, *[BAD] * 12, id="c0::daemon::x::natural"), *before[1:]]
        assert "worse" == compare(run(before[0]), run(after[0]))[0].judgement
        assert "same" == compare(run(*before), run(*after))[0].judgement


class TestHazards:
    def test_came_and_went(self):
        """A kind of initialisation that is in every trial of one run and in none of the other."""
        urlconf = make_grade(lazy=(make_lazy(), make_lazy("urlconf")))
        before, after = result(*[LAZY] * 20), result(*[urlconf] * 20)
        assert ("worse", "better") == (change(before, after).judgement, change(after, before).judgement)
        assert any("hazard came: urlconf" in sentence for sentence in change(before, after).sentences)

    def test_now_and_then(self):
        """One that was met once may have been there before."""
        rare = make_grade(lazy=(make_lazy(), make_lazy("catalogue")))
        changed = change(result(*[LAZY] * 20), result(*[LAZY] * 19, rare))
        assert "same" == changed.judgement
        assert any("may be chance" in sentence for sentence in changed.sentences)


class TestRuns:
    def test_other_set_up(self):
        """A comparison of unlike things says so."""
        changed = change(result(CLEAN), result(CLEAN, runtime="django61"))
        assert any("django61" in sentence for sentence in changed.sentences)

    def test_only_in_one(self):
        """Cases of one run only are listed, and are neither worse nor better."""
        one, other = result(CLEAN, id="a::daemon::x::natural"), result(CLEAN, id="b::daemon::x::natural")
        assert ["gone", "added"] == [changed.judgement for changed in compare(run(one), run(other))]

    def test_printed(self):
        """The last line counts."""
        stream = io.StringIO()
        print_comparison(Console(file=stream, width=120), compare(run(result(CLEAN)), run(result(BAD))), "a", "b")
        assert "1 worse" == stream.getvalue().splitlines()[-1]
