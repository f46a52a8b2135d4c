"""What a bench run writes as it goes: read back whole, cut short, or damaged."""

import pytest
from build import make_case

from harness.bench.journal import CycleLine, JournalWriter, NoteLine, read_bench, read_journal
from harness.bench.plan import RestartLoad
from harness.bench.records import Cycle, Samples, encode_bench
from harness.bench.run import BenchRun, interrupted_bench
from harness.bench.table import warnings
from harness.errors import BadInput
from harness.store.runs import stored_run, stored_runs

LOAD = RestartLoad(20.0, (1.0,), 1.0, 1.0)


class NoBackend:
    name = "local"


def make_cycle(number, order=1):
    samples = Samples(intended_s=(0.0,), latency_ms=(2.0,), outcome=("ok",), request=(0,), process=(0,))
    return Cycle(
        number=number,
        order=order,
        begin_s=1.0,
        seconds=3.0,
        restarts_s=(1.0,),
        born_s=(1.1,),
        samples=samples,
        cold=None,
        late_sends=0,
        worst_late_ms=0.0,
    )


@pytest.fixture
def run(tmp_path):
    """A bench run of two cells with two cycles each, before its first cycle."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a.wsgi").write_text("")
    case = make_case(script_path=tmp_path / "site" / "a.wsgi", site_dir=tmp_path / "site")
    cells = [("books::one", case), ("books::other", case)]
    return BenchRun.new(cells, LOAD, NoBackend(), tmp_path / "results", cycles=2, seed=1, command="harness bench books")


def write(run, *lines, torn=b""):
    path = run.directory / "bench.jsonl"
    with JournalWriter(path, run.journal.plan) as journal:
        for line in lines:
            journal.add(line)
    path.write_bytes(path.read_bytes() + torn)


CYCLE = CycleLine(cell="books::one", versions={"django": "5"}, cycle=make_cycle(1))
NOTE = NoteLine(cell="books::other", versions={}, note="broken (error): it fails")


@pytest.mark.parametrize("torn", [b"", b'{"type":"cycle","cell":"books::one"', b"{"])
def test_killed(run, torn):
    """Of a run that was killed every whole line is read, by whoever reads bench runs."""
    write(run, CYCLE, torn=torn)
    bench = read_bench(run.directory)
    assert ("interrupted", [1, 0]) == (bench.status, [len(cell.cycles) for cell in bench.cells])
    assert {"django": "5"} == bench.cells[0].versions
    assert "interrupted after 1 of 4 cycles" == warnings(bench)[0]
    assert ["interrupted after 1 of 4 cycles"] == [listed.status for listed in stored_runs(run.directory.parent)]
    assert run.directory == stored_run(run.directory.name, run.directory.parent)


def test_cell_without_measurement(run):
    """A cell that is not measured needs no further cycle."""
    write(run, NOTE, CYCLE)
    bench = read_bench(run.directory)
    assert (1, 2) == (bench.made_cycles, bench.planned_cycles)
    assert "broken (error): it fails" == bench.cells[1].note


def test_whole_file_first(run):
    """Where bench.json is, it is what is read."""
    write(run, CYCLE)
    whole = read_journal(run.directory).bench("complete")
    (run.directory / "bench.json").write_bytes(encode_bench(whole))
    assert "complete" == read_bench(run.directory).status
    with pytest.raises(BadInput, match="is complete: `harness report"):
        interrupted_bench(run.directory)


def test_going_on(run):
    """What is appended after a torn line does not join it."""
    write(run, CYCLE, torn=b'{"type":"cyc')
    run.begun = True
    with JournalWriter(run.directory / "bench.jsonl", run._first_line()) as journal:
        journal.add(CycleLine(cell="books::one", versions={}, cycle=make_cycle(2, order=2)))
    assert [[1, 2], []] == [[c.number for c in column.cycles] for column in read_journal(run.directory).columns]


def test_plan(run):
    """The plan has all that is needed to go on, and says what has changed."""
    write(run, CYCLE)
    journal = interrupted_bench(run.directory)
    assert (LOAD, 2, 1) == (journal.plan.load, journal.plan.cycles, journal.plan.seed)
    assert [case for _, case in journal.plan.cases()] == [column.case for column in run.journal.columns]
    run.journal.columns[0].case.script_path.write_text("changed")
    with pytest.raises(BadInput, match=r"changed since run .*: .*a\.wsgi"):
        interrupted_bench(run.directory)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ended before its plan"),
        (b"no\n", r"bench\.jsonl:1: not a line of a bench run"),
        (b'{"type":"note","cell":"x","versions":{},"note":""}\n', r"bench\.jsonl:1"),
        (b"\xff\n", r"bench\.jsonl:1"),
    ],
)
def test_damage(run, content, message):
    """Damage is told with its line; the list of runs shows the others all the same."""
    (run.directory / "bench.jsonl").write_bytes(content)
    with pytest.raises(BadInput, match=message):
        read_bench(run.directory)
    assert 1 == len(stored_runs(run.directory.parent))
