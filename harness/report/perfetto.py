"""A trial as a trace that the Perfetto UI and chrome://tracing open: JSON in the Trace Event Format.

The format is described in "Trace Event Format" by the authors of Chrome's tracing (Duca and others, 2016). Used here:
complete events (`X`), a begin without an end (`B`) for what never ended, instants (`i`), metadata (`M`), and flows
(`s`, `f`) from a client's request to the span in which the server answered it. Times (`ts`, `dur`) are microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from harness.cases.case import Case
from harness.records import Answer, Inside
from harness.report.layout import NOBODY, name_answers, outer_first, seen_until
from harness.report.witness import Witness

Event = dict[str, Any]
# Thread ids of a trace must differ from process to process and fit into 32 bits, which those of pthreads do not: they
# are numbered, from a multiple of this for each process. No trial has so many threads or requests.
_THREADS_OF_A_PROCESS = 10_000


def encode_trace(case: Case, witness: Witness, run: str) -> bytes:
    """The trace of one trial or control, as the contents of a file."""
    record = witness.record
    answers = name_answers(record)
    begins = [answer.intended for answer in answers.values()]
    begins += [span.begin for inside in record.evidence.inside for span in inside.spans]
    zero = min(begins, default=record.begin)
    # Not their pids: two processes of a trial may have had the same one. The real pid is in the name.
    client, numbers = 1, {inside.process: number for number, inside in enumerate(record.evidence.inside, 2)}
    events = [*_client(client, answers, witness, zero)]
    for inside in record.evidence.inside:
        events += _server(numbers[inside.process], client, inside, answers, witness, zero)
    about = {"run": run, "case": case.id, type(record).__name__.lower(): record.number, "seed": case.seed}
    return msgspec.json.encode({"displayTimeUnit": "ms", "otherData": about, "traceEvents": events})


def _client(pid: int, answers: Mapping[str, Answer], witness: Witness, zero: float) -> Iterator[Event]:
    """One thread for each request: they overlap."""
    yield from _named("process", pid, 0, "client (Locust)", 0)
    for tid, (name, answer) in enumerate(answers.items(), pid * _THREADS_OF_A_PROCESS):
        yield from _named("thread", pid, tid, f"request {name}", tid)
        sent = answer.sent if answer.sent is not None else answer.intended
        outcome, what = witness.outcomes.get(name, ("ok", ""))
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
    yield from _named("process", pid, 0, f"process {inside.process.pid}", pid)
    order = inside.number_threads()
    tids = {thread: pid * _THREADS_OF_A_PROCESS + number for thread, number in order.items()}
    for thread, number in order.items():
        yield from _named("thread", pid, tids[thread], f"thread {number} ({thread})", number)
    client_tids = {name: tid for tid, name in enumerate(answers, client * _THREADS_OF_A_PROCESS)}
    for span in outer_first(inside.spans):
        place = {"pid": pid, "tid": tids[span.thread]}
        answer = answers.get(span.name) if span.kind == "request" else None
        title = _title(answer, witness) if answer else f"{span.kind} {span.name}".strip()
        arguments: Event = {"name": span.name, "failed": span.failed}
        if span.kind == "import":
            arguments["nested_modules"] = span.nested
        yield _span(place, title, span.kind, span.begin - zero, _minus(span.end, zero), arguments)
        if answer is not None:
            sent = answer.sent if answer.sent is not None else answer.intended
            flow = {"name": "request", "cat": "flow", "id": client_tids[span.name]}
            yield {**flow, "ph": "s", "pid": client, "tid": client_tids[span.name], "ts": _us(sent - zero)}
            yield {**flow, "ph": "f", "bp": "e", **place, "ts": _us(max(span.begin, sent) - zero)}
    for mishap in inside.mishaps:
        tid = tids.get(mishap.thread, pid * _THREADS_OF_A_PROCESS)
        arguments = {"request": mishap.request, "error": mishap.error, "traceback": mishap.traceback}
        yield _instant({"pid": pid, "tid": tid}, mishap.error.partition(":")[0], mishap.at - zero, arguments)
    last = seen_until(witness.record, answers)
    for stack in witness.record.evidence.stacks:
        if stack.waits_for and stack.thread in tids and stack.process in (inside.process, NOBODY):
            frames = [f"{frame.file}:{frame.line} {frame.function}" for frame in stack.frames]
            wait = {"held_by_thread": order.get(stack.owner, stack.owner), "frames": frames}
            yield _instant({"pid": pid, "tid": tids[stack.thread]}, f"waits for {stack.waits_for}", last - zero, wait)


def _title(answer: Answer, witness: Witness) -> str:
    request = str(witness.requests[answer.request]) if answer.request < len(witness.requests) else "request"
    return f"{request} {answer.status if answer.status is not None else answer.failure or ''}".strip()


def _span(place: Event, name: str, category: str, begin: float, end: float | None, arguments: dict[str, Any]) -> Event:
    event = {"name": name, "cat": category, **place, "ts": _us(begin), "args": arguments}
    return event | ({"ph": "B"} if end is None else {"ph": "X", "dur": max(0, _us(end) - _us(begin))})


def _instant(place: Event, name: str, at: float, arguments: dict[str, Any]) -> Event:
    return {"name": name, "cat": "moment", "ph": "i", "s": "t", **place, "ts": _us(at), "args": arguments}


def _named(what: Literal["process", "thread"], pid: int, tid: int, name: str, index: int) -> Iterator[Event]:
    for kind, value in ((f"{what}_name", {"name": name}), (f"{what}_sort_index", {"sort_index": index})):
        yield {"name": kind, "ph": "M", "pid": pid, "tid": tid, "args": value}


def _minus(end: float | None, zero: float) -> float | None:
    return None if end is None else end - zero


def _us(seconds: float) -> int:
    """Whole microseconds, as the probe records them: rounding makes no span longer than the one around it."""
    return round(1e6 * seconds)
