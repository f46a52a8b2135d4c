"""A trial as a trace that the Perfetto UI and chrome://tracing open: JSON in the Trace Event Format.

The format is described in "Trace Event Format" by the authors of Chrome's tracing (Duca and others, 2016). Used here:
complete events (`X`), a begin without an end (`B`) for what never ended, instants (`i`), metadata (`M`), and flows
(`s`, `f`) from a client's request to the span in which the server answered it. Times (`ts`, `dur`) are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.cases.case import Case
from harness.records import Answer, Inside, Span
from harness.report.layout import NOBODY, name_answers, number_threads, seen_until
from harness.report.witness import Witness

Event = dict[str, Any]
# Thread ids of a trace must differ from process to process, and are 32 bits wide; those of pthreads are 64.
_THREADS_OF_A_PROCESS = 10_000


def encode_trace(case: Case, witness: Witness, run: str) -> bytes:
    """The trace of one trial or control, as the contents of a file."""
    return msgspec.json.encode(trace(case, witness, run))


def trace(case: Case, witness: Witness, run: str) -> dict[str, Any]:
    """The trace of one trial or control, as plain data."""
    record = witness.record
    answers = name_answers(record)
    known = [each.intended for each in answers.values()]
    known += [span.begin for inside in record.evidence.inside for span in inside.spans]
    zero = min(known, default=record.begin)
    # Numbers of our own: two processes of a trial may have had one pid. What a process was called is in its name.
    client, numbers = 1, {each.process: number for number, each in enumerate(record.evidence.inside, 2)}
    events = [*_client(client, answers, witness, zero)]
    for inside in record.evidence.inside:
        events += _server(numbers[inside.process], client, inside, answers, witness, zero)
    return {
        "displayTimeUnit": "ms",
        "otherData": {
            "run": run,
            "case": case.id,
            type(record).__name__.lower(): record.number,
            "seed": case.seed,
        },
        "traceEvents": events,
    }


def _client(pid: int, answers: Mapping[str, Answer], witness: Witness, zero: float) -> Iterator[Event]:
    """One thread for each request: they overlap."""
    yield from _named_process(pid, "client (Locust)", 0)
    for tid, (name, answer) in enumerate(answers.items(), pid * _THREADS_OF_A_PROCESS):
        yield from _named_thread(pid, tid, f"request {name}", tid)
        sent = answer.sent if answer.sent is not None else answer.intended
        outcome, what = witness.graded.get(name, ("ok", ""))
        arguments = {
            "request": name,
            "outcome": outcome,
            "what": what,
            "status": answer.status,
            "failure": answer.failure,
            "waited_to_be_sent_us": _us(sent - answer.intended),
        }
        place = {"pid": pid, "tid": tid}
        yield _span(place, _title(answer, witness), "client", sent - zero, _minus(answer.last_byte, zero), arguments)
        if answer.first_byte is not None:
            yield _instant(place, "first byte", answer.first_byte - zero, {})


def _server(
    pid: int, client: int, inside: Inside, answers: Mapping[str, Answer], witness: Witness, zero: float
) -> Iterator[Event]:
    yield from _named_process(pid, f"process {inside.process.pid}", pid)
    order = number_threads(inside)
    tids = {thread: pid * _THREADS_OF_A_PROCESS + number for thread, number in order.items()}
    for thread, number in order.items():
        yield from _named_thread(pid, tids[thread], f"thread {number} ({thread})", number)
    client_tids = {name: tid for tid, name in enumerate(answers, client * _THREADS_OF_A_PROCESS)}
    for span in sorted(inside.spans, key=lambda each: (each.begin, -(each.end or float("inf")))):
        place = {"pid": pid, "tid": tids[span.thread]}
        answer = answers.get(span.name) if span.kind == "request" else None
        title = _title(answer, witness) if answer else f"{span.kind} {span.name}".strip()
        yield _span(place, title, span.kind, span.begin - zero, _minus(span.end, zero), _arguments(span))
        if answer is not None:
            sent = answer.sent if answer.sent is not None else answer.intended
            flow = {"name": "request", "cat": "flow", "id": client_tids[span.name]}
            yield {**flow, "ph": "s", "pid": client, "tid": client_tids[span.name], "ts": _us(sent - zero)}
            yield {**flow, "ph": "f", "bp": "e", **place, "ts": _us(max(span.begin, sent) - zero)}
    for mishap in inside.mishaps:
        tid = tids.get(mishap.thread, pid * _THREADS_OF_A_PROCESS)
        told = {"request": mishap.request, "error": mishap.error, "traceback": mishap.traceback}
        yield _instant({"pid": pid, "tid": tid}, mishap.error.partition(":")[0], mishap.at - zero, told)
    last = seen_until(witness.record, answers)
    for stack in witness.record.evidence.stacks:
        if stack.waits_for and stack.thread in tids and stack.process in (inside.process, NOBODY):
            frames = [f"{each.file}:{each.line} {each.function}" for each in stack.frames]
            held = {"held_by_thread": order.get(stack.owner, stack.owner), "frames": frames}
            yield _instant({"pid": pid, "tid": tids[stack.thread]}, f"waits for {stack.waits_for}", last - zero, held)


def _arguments(span: Span) -> dict[str, Any]:
    told: dict[str, Any] = {"name": span.name, "failed": span.failed}
    return told | ({"nested_modules": span.nested} if span.kind == "import" else {})


def _title(answer: Answer, witness: Witness) -> str:
    asked = str(witness.requests[answer.request]) if answer.request < len(witness.requests) else "request"
    return f"{asked} {answer.status if answer.status is not None else answer.failure or ''}".strip()


def _span(place: Event, name: str, category: str, begin: float, end: float | None, arguments: dict[str, Any]) -> Event:
    event = {"name": name, "cat": category, **place, "ts": _us(begin), "args": arguments}
    return event | ({"ph": "B"} if end is None else {"ph": "X", "dur": max(0, _us(end) - _us(begin))})


def _instant(place: Event, name: str, at: float, arguments: dict[str, Any]) -> Event:
    return {"name": name, "cat": "moment", "ph": "i", "s": "t", **place, "ts": _us(at), "args": arguments}


def _named_process(pid: int, name: str, index: int) -> Iterator[Event]:
    for kind, value in (("process_name", {"name": name}), ("process_sort_index", {"sort_index": index})):
        yield {"name": kind, "ph": "M", "pid": pid, "tid": 0, "args": value}


def _named_thread(pid: int, tid: int, name: str, index: int) -> Iterator[Event]:
    for kind, value in (("thread_name", {"name": name}), ("thread_sort_index", {"sort_index": index})):
        yield {"name": kind, "ph": "M", "pid": pid, "tid": tid, "args": value}


def _minus(end: float | None, zero: float) -> float | None:
    return None if end is None else end - zero


def _us(seconds: float) -> int:
    """Whole microseconds, as the probe records them: no span outgrows the one around it by a rounding."""
    return round(1e6 * seconds)
