"""Finds initialisation that ran inside requests, and initialisation that ran twice."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from harness.checkers.findings import Finding, LazyWork
from harness.checkers.yardstick import Yardstick, count_work
from harness.records import Inside, Span, Trial

# Work whose repetition within a process is a race, because other code keeps the first result. Resolver tables,
# template engines and catalogues that are built twice cannot be seen from outside: they are hazards. The app registry
# is not here because a thread that waits for its lock has a span too; populating it twice raises.
ONCE = {"settings": "the settings were built", "middleware": "the handler and its middleware chain were built"}


def lazy_work(trial: Trial) -> list[LazyWork]:
    """Every initialisation span inside a request, with how many other requests were in the process."""
    lazy = []
    for inside in trial.evidence.inside:
        requests: dict[int, list[Span]] = defaultdict(list)
        for span in inside.spans:
            if span.kind == "request":
                requests[span.thread].append(span)
        for span in inside.spans:
            if span.kind in ("request", "script"):
                continue
            if not any(request.overlaps(span) for request in requests[span.thread]):
                continue
            elsewhere = [request for thread in requests if thread != span.thread for request in requests[thread]]
            others = sum(request.overlaps(span) for request in elsewhere)
            length = (trial.end if span.end is None else span.end) - span.begin
            lazy.append(LazyWork(kind=span.kind, name=span.name, milliseconds=round(1000 * length, 3), waiters=others))
    return lazy


def duplicate_init(trial: Trial, yardstick: Yardstick) -> Iterable[Finding]:
    """Work that a process of this trial did more often than any process of the controls."""
    stampede_over = max((a.last_byte for a in trial.answers if a.last_byte is not None), default=trial.end)
    for inside in trial.evidence.inside:
        counts = count_work(inside, stampede_over)
        for kind, words in ONCE.items():
            most = yardstick.work[kind]
            if counts[kind] > max(most, 1):
                yield _duplicate(trial, inside, kind, words, counts[kind], most)
        again = Counter(inside.executed_again) - yardstick.executed_again
        for module, times in sorted(again.items()):
            yield Finding(
                outcome="duplicate-init",
                race_class="duplicate-init",
                trial=trial.number,
                process=str(inside.process),
                summary=f"module {module} was executed {times + 1} times in one process",
                kind="module",
                module=module,
                key=f"module|{module}",
            )


def _duplicate(trial: Trial, inside: Inside, kind: str, words: str, count: int, most: int) -> Finding:
    spans = sorted((span for span in inside.spans if span.kind == kind), key=lambda span: span.begin)
    requests = [span for span in inside.spans if span.kind == "request"]
    first, last = spans[0].begin, max((span.end or trial.end) for span in spans)
    present = {request.name for request in requests if request.begin <= last and (request.end or first) >= first}
    numbers = inside.number_threads()
    threads = len({span.thread for span in spans})
    times = {0: "never", 1: "once"}.get(most, f"{most} times")
    return Finding(
        outcome="duplicate-init",
        race_class="duplicate-init",
        trial=trial.number,
        process=str(inside.process),
        summary=(
            f"{words} {count} times by {threads} threads in one cold process "
            f"(one request at a time: {times}), while {len(present)} requests were in it: "
            f"the script leaves this work to the requests, so each thread that comes early starts it"
        ),
        evidence=tuple(
            f"{kind} {span.name}: thread {numbers[span.thread]}, request {_request_of(span, requests) or '?'}, "
            f"+{1000 * (span.begin - first):.2f} ms, took {1000 * ((span.end or trial.end) - span.begin):.2f} ms"
            for span in spans
        ),
        kind=kind,
        key=kind,
    )


def _request_of(span: Span, requests: list[Span]) -> str:
    return next((one.name for one in requests if one.thread == span.thread and one.overlaps(span)), "")
