"""From samples to the numbers of a bench run."""

import math
import time

import pytest

from harness.bench.cycle import births, lateness, outcome_of, samples_of
from harness.bench.journal import read_bench
from harness.bench.records import Bench, Cell, ColdStart, Cycle, Samples, encode_bench
from harness.bench.summary import latency_of, longest_gap, percentile, recovered_ms, rows, summarise
from harness.bench.table import rate_was_kept, tables, warnings
from harness.checkers.template import Template
from harness.checkers.yardstick import ExpectedAnswer
from harness.errors import BadInput, InfrastructureError
from harness.records import Answer, ProcessId

EXPECTED = {0: ExpectedAnswer(frozenset({200}), Template.of(["hello"]), {})}
OLD, NEW = ProcessId(1, 10), ProcessId(2, 20)


def cycle(samples, restarts=(2.0,), seconds=6.0, **more):
    """`samples`: (intended s, latency ms, outcome, process)."""
    columns = list(zip(*samples, strict=True))
    return Cycle(
        number=1,
        order=1,
        begin_s=0.0,
        seconds=seconds,
        restarts_s=restarts,
        born_s=tuple(restart + 0.1 for restart in restarts),
        samples=Samples(
            intended_s=columns[0],
            latency_ms=columns[1],
            outcome=columns[2],
            request=(0,) * len(samples),
            process=columns[3],
        ),
        cold=more.pop("cold", ColdStart(first_ms=200.0, warm_ms=4.0, cpu_s=0.3, resident_mib=50.0)),
        late_sends=more.pop("late", 0),
        worst_late_ms=1.0,
    )


def stall(until=2.5, warm=3.0):
    """Fifty requests a second; what is intended from the restart at 2 s on waits until `until`."""
    samples = []
    for number in range(300):
        at = number / 50
        waits = 2.0 <= at < until
        samples.append((at, 1000 * (until - at) + warm if waits else warm, "ok", 0 if at < 2.0 else 1))
    return samples


def test_stall_counts_from_intended_sends():
    """Half a second without an answer: that long from the restart to the first good one, and nothing lost."""
    summary = summarise([cycle(stall())], 3.0)
    assert (1, 300, {"ok": 300}) == (summary.restarts, summary.requests, summary.outcomes)
    # The last answer before arrives at 1.98 s + 3 ms; the time counts from the restart.
    for value in (summary.without_good_ms, summary.first_good_ms, summary.first_new_ms):
        assert 503.0 == pytest.approx(value, abs=1)


def test_percentiles_of_a_stall_show_it():
    """Of the 150 requests during it 25 waited: p90 sees it, p50 does not, and before it there is none of it."""
    before, during, after = summarise([cycle(stall())], 3.0).phases
    assert (100, 150, 50) == (before.requests, during.requests, after.requests)
    assert 3.0 == pytest.approx(before.latency.max)
    assert 3.0 == pytest.approx(during.latency.p50, rel=0.01)
    assert during.latency.p90 > 150
    assert 503.0 == pytest.approx(during.latency.max)
    assert 3.0 == pytest.approx(after.latency.p999, rel=0.01)


def test_pending_request_belongs_to_restart():
    """A request sent just before the restart that waits for the new process counts to the restart, not to before."""
    samples = stall()
    samples[99] = (1.98, 600.0, "ok", 1)
    assert 3.0 == pytest.approx(summarise([cycle(samples)], 3.0).phases[0].latency.max)
    assert 0.0 == rows(cycle(samples))[99].since


def test_recovery_begins_where_p95_is_back():
    """Requests intended up to 2.5 s waited: with one in twenty of them still in the window p95 is back."""
    summary = summarise([cycle(stall())], 3.0)
    assert 450 <= summary.recovered_ms <= 500
    assert 3.0 == pytest.approx(summary.p95_before_ms, rel=0.01)


def test_what_stays_slow_has_not_recovered():
    """A fifth slower for ever is not back within 10 %, a twentieth is."""
    for factor, recovered in ((1.2, False), (1.05, True)):
        samples = [(at, latency * (factor if at >= 2.5 else 1), *rest) for at, latency, *rest in stall()]
        assert recovered == (summarise([cycle(samples)], 3.0).recovered_ms is not None)


def test_lossy_window_is_not_recovered():
    """A window of quick answers with one dropped is not recovered; nor is a window of too few."""
    dropped = [(at, None if round(at * 50) % 20 == 5 and at >= 2 else 3.0, "ok", 0) for at, *_ in stall()]
    assert recovered_ms(rows(cycle(dropped)), 3.0) is None
    few = stall()[::5]
    assert recovered_ms(rows(cycle(few)), 3.0) is None


def test_no_good_answer_gives_none():
    """A cycle without a good answer after the restart makes the value None, rather than being left out of a median."""
    lost = [(at, 3.0 if at < 2 else None, "ok" if at < 2 else "hung", 0) for at, *_ in stall()]
    summary = summarise([cycle(stall()), cycle(lost)], 3.0)
    assert (None, None) == (summary.without_good_ms, summary.first_good_worst_ms)
    assert 200 == summary.outcomes["hung"]


def test_wrong_answer_is_not_good():
    """Errors right after the restart lengthen the time without a good answer."""
    samples = [(at, 3.0, "error" if 2.0 <= at < 3.0 else "ok", 1) for at, *_ in stall()]
    summary = summarise([cycle(samples)], 3.0)
    assert 1003.0 == pytest.approx(summary.without_good_ms, abs=1)
    assert 50 == summary.phases[1].errors_5xx


def test_old_processes_may_answer_meanwhile():
    """After a graceful restart the first good answer is one of the old process; a new one's comes later."""
    samples = [(at, 3.0, "ok", 0 if at < 3.0 else 1) for at, *_ in stall()]
    summary = summarise([cycle(samples)], 3.0)
    assert 23.0 >= summary.first_good_ms
    assert 1003.0 == pytest.approx(summary.first_new_ms, abs=1)


def test_two_restarts_are_told_apart():
    """Each of them has its gap, its first answer, its process."""
    samples = [
        (at, 3.0, "error" if 2.0 <= at < 2.2 or 4.0 <= at < 4.4 else "ok", 0 if at < 2 else 1 if at < 4 else 2)
        for at, *_ in stall()
    ]
    summary = summarise([cycle(samples, restarts=(2.0, 4.0))], 1.5)
    assert 2 == summary.restarts
    assert 303.0 == pytest.approx(summary.without_good_ms, abs=1)
    assert 403.0 == pytest.approx(summary.without_good_worst_ms, abs=1)


def test_gap_ends_with_next_restart():
    """A gap ends with the next restart, or with the last moment, where none comes."""
    assert 3.0 == longest_gap([1.0, 2.0, 5.0], 1.5, math.inf)
    assert 3.5 == longest_gap([1.0, 2.0, 5.0, 9.0], 1.5, 8.5)
    assert longest_gap([1.0], 1.5, 6.0) is None


def test_percentiles_are_those_of_hdrhistogram():
    """Three significant digits, and the largest exactly."""
    values = [float(number) for number in range(1, 1001)]
    assert 950.0 == pytest.approx(percentile(values, 95), rel=0.001)
    assert 1000.0 == latency_of(values).max
    assert latency_of([]).p50 is None


def test_cold_starts_give_medians_of_ratios():
    """Each ratio is of one process."""
    colds = [
        ColdStart(first_ms=first, warm_ms=warm, cpu_s=0.3, resident_mib=50.0) for first, warm in ((200, 4), (90, 3))
    ]
    summary = summarise([cycle(stall(), cold=cold) for cold in colds], 3.0)
    assert (40.0, 145.0, 3.5) == (summary.first_over_warm, summary.first_ms, summary.warm_ms)


def test_start_counts_from_birth():
    """The start of a process counts from its birth, 0.1 s after the restart: the rest is the server's own doing."""
    summary = summarise([cycle(stall())], 3.0)
    assert 403.0 == pytest.approx(summary.start_ms, abs=1)


# -- answers ---------------------------------------------------------------------------------------------


def answer(**changed):
    fields = {
        "user": 0,
        "request": 0,
        "intended": 10.0,
        "last_byte": 10.5,
        "status": 200,
        "body": "hello",
        "process": OLD,
    }
    return Answer(**{**fields, **changed})


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "ok"),
        ({"body": "helo"}, "wrong"),
        ({"status": 404}, "wrong"),
        ({"status": 503, "body": ""}, "error"),
        ({"status": None, "failure": "refused"}, "dropped"),
        ({"status": None, "failure": "reset"}, "dropped"),
        ({"status": None, "failure": "open"}, "hung"),
    ],
)
def test_controls_judge_loaded_answers(changed, expected):
    """An answer under load is judged by the control's status and body, and a failure has its kind."""
    assert expected == outcome_of(answer(**changed), EXPECTED[0])


def test_samples_follow_intended_sends():
    """Samples are in the order of intended sends, with latencies from there, and the generation of the process."""
    answers = [
        answer(intended=12.0, last_byte=12.25, process=NEW),
        answer(),
        answer(intended=13.0, last_byte=None, status=None, failure="reset", process=None),
    ]
    samples = samples_of(answers, 10.0, EXPECTED, [frozenset({OLD})])
    assert ((0.0, 2.0, 3.0), (500.0, 250.0, None)) == (samples.intended_s, samples.latency_ms)
    assert ((0, 1, None), ("ok", "ok", "dropped")) == (samples.process, samples.outcome)


def test_birth_of_first_good_process():
    """The birth is that of the first new process with a right answer, from its start in ticks since the boot."""
    early, late = (ProcessId(2, 100 * at) for at in (20, 21))
    answers = [
        answer(intended=12.0, last_byte=12.1),
        answer(intended=12.0, last_byte=12.2, process=late, body="helo"),
        answer(intended=12.0, last_byte=12.3, process=early),
        answer(intended=12.0, last_byte=12.4, process=late),
    ]
    boot = time.clock_gettime(time.CLOCK_BOOTTIME) - time.monotonic()
    (born,) = births(answers, 10.0, EXPECTED, [frozenset({OLD})])
    assert 10.0 - boot == pytest.approx(born, abs=0.01)
    assert (None,) == births(answers[:2], 10.0, EXPECTED, [frozenset({OLD})])


def test_late_load_generator_is_refused():
    """Three of four sends late: an error that names the rate. One of four: the count and the worst delay, no error."""

    def sent(*late):
        return [answer(intended=10.0, sent=10.0 + delay) for delay in late]

    with pytest.raises(InfrastructureError, match=r"cannot keep 900 requests/s: 3 of 4 .*the worst 300 ms"):
        lateness(sent(0.0, 0.2, 0.3, 0.2), 900.0)
    count, worst = lateness(sent(0.0, 0.009, 0.2, 0.001), 900.0)
    assert (1, 200.0) == (count, pytest.approx(worst))


# -- what is stored and told -----------------------------------------------------------------------------


def bench(**changed):
    cells = tuple(
        Cell(
            name=f"mysite::daemon::{script}::respawn",
            scenario="mysite",
            site="mysite",
            script=script,
            mode="daemon",
            restart="respawn",
            processes=1,
            threads=15,
            preload=False,
            runtime="django52",
            versions={},
            requests=("GET /",),
            note=note,
            cycles=cycles,
            summary=summarise(cycles, 3.0),
        )
        for script, note, cycles in (
            ("default", "", (cycle(stall(), **changed),)),
            ("naive2010", "broken (error): GET / fails", ()),
        )
    )
    return Bench(
        schema_version=1,
        run="r",
        status="complete",
        command="harness bench mysite",
        environment={},
        backend="local",
        rate=50.0,
        workers=0,
        seed=1,
        during_s=3.0,
        cells=cells,
    )


def test_bench_run_round_trip(tmp_path):
    """A bench run is read as it was written; another version, or no such file, is bad input."""
    (tmp_path / "bench.json").write_bytes(encode_bench(bench()))
    assert bench() == read_bench(tmp_path)
    (tmp_path / "bench.json").write_text("{}")
    with pytest.raises(BadInput, match="not a bench run of this version"):
        read_bench(tmp_path)
    with pytest.raises(BadInput, match="cannot be read: No such file"):
        read_bench(tmp_path / "none")


def test_unmeasured_cell_is_a_sentence():
    """Each measured cell is a row, and three where its phases are listed; every other cell is a sentence."""
    lost, latency, cold = tables(bench())
    assert (1, 3, 1) == (len(lost.rows), len(latency.rows), len(cold.rows))
    assert all(len(row) == len(table.headings) for table in (lost, latency, cold) for row in table.rows)
    assert "naive2010::respawn: not measured: broken" in warnings(bench())[0]


def test_missed_rate_is_a_warning():
    """More than one send in twenty late: a warning, and no success; fewer: neither."""
    assert not rate_was_kept(bench(late=20))
    assert any("20 of 300 requests late" in warning for warning in warnings(bench(late=20)))
    assert rate_was_kept(bench(late=10))
    assert 1 == len(warnings(bench(late=10)))
