"""What a bench run compares, and in which order."""

from pathlib import Path

import pytest

from harness.bench.plan import RestartLoad, Variation, cells_of, check_load, interleave, shifts
from harness.cases.scenario import parse_scenario
from harness.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]
TEXT = """
title = "a test"
site = "mysite"
scripts = ["default", "improved"]
runtime = "django52"

[[expect]]
verdict = ["hazard", "clean"]
outcomes.ok = { grade = "expected", why = "it is the default script" }
"""


def names(vary, text=TEXT):
    return [name for name, _ in cells(vary, text)]


def cells(vary, text=TEXT):
    return cells_of(parse_scenario(text, "s.toml"), Path("mine.toml"), ROOT / "sites", vary)


def test_default_cells_follow_the_scenario():
    """Without a variation the cells are the scripts of the scenario in each of its modes, as its file says."""
    assert [
        "mine::daemon::default::respawn",
        "mine::daemon::improved::respawn",
        "mine::embedded::default::respawn",
        "mine::embedded::improved::respawn",
    ] == names(Variation())


def test_several_values_are_crossed():
    """Scripts, processes, threads and preload given more than once are crossed, and each cell has a name of its own."""
    vary = Variation(scripts=("deferred",), modes=("daemon",), processes=(1, 2), threads=(5, 15), preload=(False, True))
    varied = cells(vary)
    assert 8 == len({name for name, _ in varied})
    assert "mine::daemon::deferred::respawn::2 processes::5 threads::preload" in dict(varied)
    assert {(1, 5), (1, 15), (2, 5), (2, 15)} == {(case.processes, case.threads) for _, case in varied}


def test_method_selects_its_mode():
    """A restart method of one mode only is compared in that mode, where nobody asked for the other one."""
    assert {"daemon"} == {case.mode for _, case in cells(Variation(restarts=("touch",)))}
    assert 6 == len(names(Variation(restarts=("touch", "respawn"))))


@pytest.mark.parametrize(
    ("vary", "fragment"),
    [
        (Variation(modes=("embedded",), restarts=("touch",)), "does not exist in embedded mode"),
        (Variation(restarts=("reload",)), "no cold start to measure"),
        (Variation(scripts=("defalt",)), "did you mean 'default'"),
    ],
)
def test_unmeasurable_variation_is_bad_input(vary, fragment):
    """Bad input: a method that the mode does not have, one that restarts nothing, a script that is not there."""
    with pytest.raises(BadInput, match=fragment):
        cells(vary)


def test_rounds_shuffle_every_cell():
    """Each round has every cell, in another order, so that noise hits all alike; a seed fixes the order."""
    rounds = list(interleave(4, 20, 1))
    assert all([0, 1, 2, 3] == sorted(order) for _, order in rounds)
    assert len({tuple(order) for _, order in rounds}) > 5
    assert rounds == list(interleave(4, 20, 1))
    assert rounds != list(interleave(4, 20, 2))


def test_restarts_are_spread_over_the_tick():
    """Each cycle's come at another phase, all phases alike; by the seed."""
    assert [0.1, 0.3, 0.5, 0.7, 0.9] == pytest.approx(sorted(shifts(5, 1)))
    assert shifts(5, 1) == shifts(5, 1)
    assert RestartLoad(50, (1.7, 5.7), 3.0, 1.5) == RestartLoad(50, (1.5, 5.5), 3.0, 1.5).shifted(0.2)


def test_useless_load_is_bad_input():
    """A load of which no percentile comes is bad input: too few requests before, restarts out of order or too close."""
    assert 6.0 == check_load(RestartLoad(50, (1.5,), 3.0, 1.5)).seconds
    for load in (
        RestartLoad(5, (1.5,), 3.0, 1.5),
        RestartLoad(50, (3.0, 1.0), 1.0, 1.5),
        RestartLoad(50, (1.0, 2.0), 3.0, 1.5),
    ):
        with pytest.raises(BadInput, match="--r"):
            check_load(load)
