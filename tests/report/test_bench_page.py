"""The page of a bench run: charts and tables from its records alone."""

import json
import re

import msgspec

from harness.bench.records import Bench, Cell, Cycle, Latency, Phase, Samples, Summary
from harness.report.bench_page import MOST_POINTS, render
from harness.report.headline import bench_headline
from harness.report.markdown import render_bench


def filled(kind, **given):
    """A record of which a test names what matters to it; the rest is not known."""
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in given]
    return kind(**given, **dict.fromkeys(missing))


def make_cycle(latencies, outcome="ok", every=0.02):
    """Requests at even distances, a restart after a third of them."""
    count = len(latencies)
    samples = Samples(
        intended_s=tuple(round(n * every, 3) for n in range(count)),
        latency_ms=tuple(latencies),
        outcome=tuple("hung" if latency is None else outcome for latency in latencies),
        request=(0,) * count,
        process=(0,) * count,
    )
    return filled(
        Cycle,
        number=1,
        seconds=count * every,
        restarts_s=(count * every / 3,),
        samples=samples,
        late_sends=0,
        worst_late_ms=0,
    )


def make_summary(gap=250.0, **changes):
    latency = Latency(answered=1, p50=2.0, p90=3.0, p99=4.0, p999=4.0, max=5.0)
    phases = tuple(
        Phase(name=name, requests=1, outcomes={"ok": 1}, errors_5xx=0, latency=latency)
        for name in ("before", "during", "after")
    )
    fields = {
        "restarts": 5,
        "requests": 300,
        "outcomes": {"ok": 298, "hung": 2},
        "without_good_ms": gap,
        "without_good_worst_ms": gap,
        "phases": phases,
    }
    return filled(Summary, **fields | changes)


def make_cell(name="mysite::daemon::default::respawn", cycles=(), summary=None, note=""):
    return filled(
        Cell,
        name=name,
        scenario="mysite",
        requests=("GET /",),
        note=note,
        cycles=tuple(cycles),
        summary=summary,
    )


def make_bench(*cells, **changes):
    fields = {
        "schema_version": 1, "run": "20260101-000000-aaaa", "status": "complete", "command": "harness bench mysite",
        "environment": {"cores": 2}, "backend": "local", "rate": 50.0, "workers": 0, "seed": 1, "during_s": 3.0,
    }  # fmt: skip
    return Bench(**fields | changes, cells=cells)


def measured(latencies=(2.0, 3.0, None, 250.0, 4.0, 3.0), name="mysite::daemon::default::respawn", **changes):
    return make_cell(name, [make_cycle(latencies)], make_summary(**changes))


def data_of(page):
    """What the charts are drawn from."""
    return [json.loads(text) for text in re.findall(r'<script type="application/json">(.*?)</script>', page)]


def test_one_cell():
    """The title says what a restart costs."""
    head = bench_headline(make_bench(measured()))
    assert "A restart leaves users 250 ms without a good answer" == head.title
    assert "2 of 300 requests got no good answer" in head.sentence


def test_several_cells():
    """Of several cells it names the best and the worst."""
    head = bench_headline(make_bench(measured(), measured(name="other", gap=900.0)))
    assert "250 to 900 ms" in head.title
    assert "Most: other" in head.sentence


def test_no_good_answer():
    """A cell that never answered well again is what the title says."""
    assert "No good answer came after a restart of x" in bench_headline(make_bench(measured(name="x", gap=None))).title


def test_latency_over_time():
    """Each request is drawn at its time from the restart; one without an answer stays, as lost."""
    chart = data_of(render(make_bench(measured())))[0]
    assert -0.04 == chart["at"][0]
    assert [0] == chart["restarts"]
    assert [False, False, True, False, False, False] == chart["lost"]
    assert 250.0 in chart["ok"]


def test_curves():
    """A curve never falls, and goes no further than there are answers to tell percentiles apart."""
    _, _, during, _ = data_of(render(make_bench(measured(tuple(float(n) for n in range(300))))))
    (line,) = during["lines"]
    known = [latency for latency in line["ms"] if latency is not None]
    assert known == sorted(known)
    assert 10 ** during["nines"][-1] <= 200
    assert 96.0 == known[0]  # it was on its way when the restart came


def test_is_bounded():
    """Of very many requests those that were slow or lost are drawn, and the page says how many it leaves out."""
    latencies = [None if n % 1000 == 0 else 900.0 if n == 777 else 2.0 for n in range(4 * MOST_POINTS)]
    page = render(make_bench(measured(tuple(latencies))))
    chart = data_of(page)[0]
    assert len(chart["at"]) < 1.1 * MOST_POINTS
    assert 900.0 in chart["ok"]
    assert sum(latency is None for latency in latencies) == sum(chart["lost"])
    assert "requests are drawn" in page


def test_a_cell_that_was_not_measured():
    """Why a cell has no numbers is said."""
    assert "no Python 2.7" in render(make_bench(measured(), make_cell("old", note="no Python 2.7")))


def test_nothing():
    """A bench run without a measured cell has a page too."""
    assert "Nothing was measured" == bench_headline(make_bench()).title
    assert "Nothing was measured" in render(make_bench())


def test_hostile():
    """What a cell is called is text, in the page, in the data of its charts, and in Markdown."""
    name = "</script><script>alert(1)</script>|<b>"
    bench = make_bench(measured(name=name), make_cell(name, note=name))
    assert "<script>alert" not in render(bench)
    assert "\n<b>" not in render_bench(bench)
    assert name in [line["name"] for chart in data_of(render(bench)) for line in chart.get("lines", [])]


def test_markdown():
    """The tables, as many cells in each row as in its head."""
    text = render_bench(msgspec.structs.replace(make_bench(measured())))
    assert text.startswith("## A restart leaves users 250 ms")
    for table in text.split("\n\n"):
        assert 1 >= len({line.count(" | ") for line in table.splitlines() if line.startswith("|")})
