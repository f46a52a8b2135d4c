"""A user's directory for the campaign of broken input: a site, a scenario, stored runs, a baseline, a bench run."""

import lzma
from pathlib import Path

import msgspec

from harness.bench.records import Bench, Cell, Cycle, Latency, Phase, Samples, Summary, encode_bench
from harness.gate.measure import of_stored
from harness.gate.records import Baseline, write_baseline
from harness.records import Control, Trial
from harness.store.history import HistoryWriter, read, read_case

STORED = Path(__file__).resolve().parents[1] / "stored" / "20261127-100000-0004"
RUN, OLD_RUN, BENCH_RUN = "20261127-100000-0004", "20261127-090000-0001", "20261127-110000-0001"
# As many as a report needs to have something to tell.
MOST_TRIALS = 4

SCRIPT = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]
"""
SCENARIO = """
title = "a site"
site = "tiny"
scripts = ["plain"]
runtime = "django52"
trials = 20
seed = 7
environment = { A = "b" }

[hosting.daemon]
processes = 1
threads = 15

[load]
users = 15
timeout = 30.0
headers = { Host = "shop.example" }
paths = ["/", { path = "/login/", method = "POST", body = "x=1", weight = 2, headers = { X-A = "b" } }]

[thresholds]
lazy_in_request = 3

[[expect]]
scripts = ["plain"]
modes = ["daemon", "embedded"]
verdict = ["clean", "hazard"]
outcomes.ok = { grade = "expected", why = "it does nothing" }
"""
RUNTIMES = """
[runtimes.mine]
python = ["3.12", "3.11"]
django = "django>=5.2,<5.3"
mod_wsgi = "5.0.2"
"""
TEST = """
import pytest

@pytest.mark.harness(paths=["/"], trials=3)
def test_cold(harness_cold_start):
    assert harness_cold_start("sites/tiny/scripts/plain.wsgi").verdict == "clean"
"""


def make(directory):
    """Fill an empty directory."""
    scripts = directory / "sites" / "tiny" / "scripts"
    scripts.mkdir(parents=True)
    (scripts / "plain.wsgi").write_text(SCRIPT)
    (scripts.parent / "manage.py").write_text("")
    for name, text in (("scenarios/tiny.toml", SCENARIO), ("runtimes.toml", RUNTIMES), ("test_it.py", TEST)):
        (directory / name).parent.mkdir(exist_ok=True)
        (directory / name).write_text(text)
    (directory / "pytest.ini").write_text("[pytest]\n")
    (directory / "extra.conf").write_text('SetEnv A "b"\n')
    results = directory / "results"
    old = results / OLD_RUN / "cases"
    old.mkdir(parents=True)
    (packed,) = (STORED / "cases").glob("*.xz")
    lines = lzma.decompress(packed.read_bytes()).splitlines(keepends=True)
    (old / packed.stem).write_bytes(b"".join(lines[:8]))
    (old.parent / "result.json").write_bytes((STORED / "result.json").read_bytes())
    _today(old / packed.stem, results / RUN)
    (results / RUN / "result.json").write_bytes((STORED / "result.json").read_bytes())
    case = read_case(old / packed.stem)
    plan = {"run": RUN, "environment": {}, "cases": [{"case": case.id, "seed": case.seed, "trials": case.trials}]}
    (results / RUN / "run.json").write_bytes(msgspec.json.encode(plan))
    _, observed = of_stored(results / RUN)
    counts = tuple(counts for _, counts in observed)
    baseline = Baseline(schema_version=1, name="mine", run=RUN, made="2026-11-27", environment={}, cases=counts)
    write_baseline(baseline, results)
    (results / BENCH_RUN).mkdir()
    (results / BENCH_RUN / "bench.json").write_bytes(encode_bench(_bench()))
    return directory


def _today(old, run):
    """A history of today's form with the begin of an old one."""
    records = list(read(old))
    trials = [record for record in records if isinstance(record, Trial)][:MOST_TRIALS]
    with HistoryWriter(run / "cases" / old.name, read_case(old)) as writer:
        for record in [record for record in records if isinstance(record, Control)] + trials:
            writer.add(record)


def _filled(kind, **given):
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in given]
    return kind(**given, **dict.fromkeys(missing))


def _bench():
    latency = Latency(answered=1, p50=2.0, p90=3.0, p99=4.0, p999=4.0, max=5.0)
    phases = tuple(
        Phase(name=name, requests=1, outcomes={"ok": 1}, errors_5xx=0, latency=latency)
        for name in ("before", "during", "after")
    )
    count = 30
    samples = Samples(
        intended_s=tuple(number / 10 for number in range(count)),
        latency_ms=(2.0,) * (count - 1) + (None,),
        outcome=("ok",) * (count - 1) + ("hung",),
        request=(0,) * count,
        process=(0,) * count,
    )
    cycle = Cycle(
        number=1, order=0, begin_s=0.0, seconds=3.0, restarts_s=(1.0,), born_s=(1.5,), samples=samples, cold=None,
        late_sends=0, worst_late_ms=0.0,
    )  # fmt: skip
    summary = _filled(
        Summary, restarts=1, requests=count, outcomes={"ok": count - 1, "hung": 1}, phases=phases,
        without_good_ms=250.0, without_good_worst_ms=250.0,
    )  # fmt: skip
    cell = Cell(
        name="tiny::daemon::plain::respawn", scenario="tiny", site="tiny", script="plain", mode="daemon",
        restart="respawn", processes=1, threads=15, preload=False, runtime="django52", versions={},
        requests=("GET /",), note="", cycles=(cycle,), summary=summary,
    )  # fmt: skip
    return Bench(
        schema_version=1, run=BENCH_RUN, status="complete", command="harness bench tiny", environment={"cores": 2},
        backend="local", rate=50.0, workers=0, seed=1, during_s=3.0, cells=(cell,),
    )  # fmt: skip
