"""The trace of a trial keeps to the Trace Event Format, and tells what the trial was."""

import json
from itertools import pairwise

import pytest
from build import (
    CONTROLS,
    OTHER_PROCESS,
    PROCESS,
    make_case,
    make_control,
    make_failing_trial,
    make_inside,
    make_lost_answer,
    make_request_span,
    make_trial,
    make_yardstick,
    replaced,
    store_run,
)

from harness.errors import BadInput
from harness.records import Control, Frame, ThreadStack
from harness.report.perfetto import encode_trace
from harness.report.witness import find_record, witness
from harness.store.stored_case import StoredCase

# The document's fields of each phase that is used here, and their types.
NUMBER = (int, float)
FIELDS = {
    "X": {"name": str, "cat": str, "ts": NUMBER, "dur": NUMBER, "pid": int, "tid": int, "args": dict},
    "B": {"name": str, "cat": str, "ts": NUMBER, "pid": int, "tid": int, "args": dict},
    "i": {"name": str, "cat": str, "ts": NUMBER, "pid": int, "tid": int, "s": str, "args": dict},
    "M": {"name": str, "pid": int, "tid": int, "args": dict},
    "s": {"name": str, "cat": str, "id": int, "ts": NUMBER, "pid": int, "tid": int},
    "f": {"name": str, "cat": str, "id": int, "ts": NUMBER, "pid": int, "tid": int, "bp": str},
}
METADATA = {
    "process_name": "name",
    "process_sort_index": "sort_index",
    "thread_name": "name",
    "thread_sort_index": "sort_index",
}


def traced(record):
    return json.loads(encode_trace(make_case(), witness(record, make_yardstick()), "a-run"))


def of(trace, phase):
    return [event for event in trace["traceEvents"] if event["ph"] == phase]


HANGING = make_trial(
    make_lost_answer(0),
    make_lost_answer(1, "refused"),
    inside=(make_inside(make_request_span(0, end=None)),),
)
TWO_PROCESSES = make_trial(
    inside=(
        make_inside(make_request_span(0)),
        make_inside(make_request_span(1, process=OTHER_PROCESS), process=OTHER_PROCESS),
    )
)
RECORDS = [make_failing_trial(), HANGING, TWO_PROCESSES, make_trial(inside=()), make_control(), make_trial(answers=())]
every_record = pytest.mark.parametrize(
    "record", RECORDS, ids=["failing", "hanging", "processes", "black-box", "control", "empty"]
)


class TestFormat:
    @every_record
    def test_fields(self, record):
        """Every event has the fields of its phase, of the documented types, and none that is not documented."""
        for event in traced(record)["traceEvents"]:
            fields = FIELDS[event["ph"]]
            assert {"ph", *fields} == event.keys()
            assert all(isinstance(event[name], kind) for name, kind in fields.items())
            assert event.get("ts", 0) >= 0
            assert event.get("dur", 0) >= 0
            assert 0 <= event["tid"] < 2**31
            if event["ph"] == "M":
                assert [METADATA[event["name"]]] == list(event["args"])

    @every_record
    def test_nesting(self, record):
        """Complete events of one thread lie within each other or apart: the format allows nothing else."""
        by_thread = {}
        for event in of(traced(record), "X"):
            by_thread.setdefault((event["pid"], event["tid"]), []).append((event["ts"], event["ts"] + event["dur"]))
        for spans in by_thread.values():
            ordered = sorted(spans, key=lambda span: (span[0], -span[1]))
            assert all(other[0] >= one[1] or other[1] <= one[1] for one, other in pairwise(ordered))

    @every_record
    def test_threads_are_named(self, record):
        """Every thread and process that has an event has a name, and thread ids are of one process only."""
        trace = traced(record)
        named = {(event["pid"], event["tid"]) for event in of(trace, "M") if event["name"] == "thread_name"}
        used = {(event["pid"], event["tid"]) for event in trace["traceEvents"] if event["ph"] != "M"}
        assert used <= named
        assert len(named) == len({tid for _, tid in named})

    @every_record
    def test_flows(self, record):
        """Each flow begins and ends once, within a span on its thread, and not before it began."""
        trace = traced(record)
        begins, ends = ({event["id"]: event for event in of(trace, phase)} for phase in ("s", "f"))
        assert begins.keys() == ends.keys()
        spans = of(trace, "X") + of(trace, "B")
        for event in [*begins.values(), *ends.values()]:
            on = [span for span in spans if (span["pid"], span["tid"]) == (event["pid"], event["tid"])]
            assert any(span["ts"] <= event["ts"] <= span["ts"] + span.get("dur", 1e12) for span in on)
        assert all(begins[flow]["ts"] <= ends[flow]["ts"] for flow in begins)


class TestContents:
    def test_what_it_tells(self):
        """Client requests, server requests and initialisation are spans; the exception is an instant."""
        trace = traced(make_failing_trial())
        spans = [(event["cat"], event["name"]) for event in of(trace, "X")]
        for expected in (
            ("client", "GET / 500"),
            ("request", "GET / 500"),
            ("import", "import shop.orders"),
            ("settings", "settings shop.settings"),
        ):
            assert expected in spans
        assert "ValueError" in [event["name"] for event in of(trace, "i")]
        assert 2 == len(of(trace, "s"))
        assert "error" in [event["args"]["outcome"] for event in of(trace, "X") if event["cat"] == "client"]

    def test_an_import_lies_in_its_request(self):
        """Initialisation is on the thread of the request that it ran in."""
        events = {event["name"]: event for event in of(traced(make_failing_trial()), "X") if event["cat"] != "client"}
        assert events["GET / 200"]["tid"] == events["import shop.orders"]["tid"] != events["GET / 500"]["tid"]

    def test_what_never_ended(self):
        """An open request begins and does not end, on the client as on the server."""
        assert {"client", "request"} == {event["cat"] for event in of(traced(HANGING), "B")}

    def test_who_waits(self):
        """A thread of a hang says at the end what it waits for, with its stack."""
        stack = ThreadStack(thread=1, frames=(Frame("a.py", 3, "f"),), waits_for="a lock", owner=9, process=PROCESS)
        (wait,) = of(traced(replaced(HANGING, stacks=(stack,))), "i")
        assert ("waits for a lock", ["a.py:3 f"]) == (wait["name"], wait["args"]["frames"])

    def test_where_it_is_from(self):
        """The trace says of which run, case and trial it is."""
        assert {"run": "a-run", "case": make_case().id, "trial": 1, "seed": 7} == traced(make_trial())["otherData"]


class TestChoice:
    def path(self, tmp_path, *records):
        (path,) = (store_run(tmp_path, (make_case(), *CONTROLS, *records)) / "cases").iterdir()
        return path

    def test_by_number(self, tmp_path):
        """A trial is found by its number, wherever in the history it is."""
        path = self.path(tmp_path, make_trial(number=2), make_trial(number=1))
        assert 1 == find_record(StoredCase(path), 1).record.number

    def test_without_a_number(self, tmp_path):
        """Without a number it is the first of the history; where there is none, a control."""
        assert 2 == find_record(StoredCase(self.path(tmp_path, make_trial(number=2))), None).record.number
        control = find_record(StoredCase(self.path(tmp_path / "other")), None)
        assert isinstance(control.record, Control)

    def test_no_such_trial(self, tmp_path):
        """A trial that is not there is bad input."""
        with pytest.raises(BadInput, match="no trial 9"):
            find_record(StoredCase(self.path(tmp_path, make_trial())), 9)
