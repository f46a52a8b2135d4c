"""Lays a trial out as a timeline. Pure: from a record to lanes and bars."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.checkers.tracebacks import own_frames
from harness.records import (
    Answer,
    Control,
    Inside,
    Mishap,
    OutcomeName,
    ProcessId,
    Request,
    Span,
    Trial,
)
from harness.report.timeline import (
    Bar,
    Group,
    Lane,
    Mark,
    Timeline,
    views_of,
)

RequestOutcomes = Mapping[str, tuple[OutcomeName, str]]
"""Of each request by its name (`3.14`, `3.f0`, `c1.0`): its outcome, and what happened in words."""

# What is drawn of one trial at most: the shortest initialisation gives way, and the layout says how much did.
MOST_BARS = 260
DEEPEST = 4
NOBODY = ProcessId(0, 0)


def lay_out(
    record: Trial | Control,
    requests: Sequence[Request],
    graded: RequestOutcomes,
    twice: Collection[str] = (),
    *,
    most: int = MOST_BARS,
) -> Timeline:
    """The timeline of a trial or a control.

    Args:
        record: what was kept of it.
        requests: the requests of its case.
        graded: how each request was judged; what is not `ok` is marked.
        twice: kinds of initialisation of which a process did more than it should have.
        most: bars drawn at most.
    """
    answers = name_answers(record)
    release = min((each.intended for each in answers.values()), default=record.begin)
    layout = _Layout(record, requests, answers, graded, frozenset(twice), release)
    groups = [layout.group(inside) for inside in record.evidence.inside]
    unseen = layout.unseen()
    if unseen is not None:
        groups.append(unseen)
    groups, left_out = _thinned([each for each in groups if each.lanes], most)
    what = "Trial" if isinstance(record, Trial) else "Control"
    return Timeline(f"{what} {record.number}", tuple(groups), views_of(groups), left_out)


def name_answers(record: Trial | Control) -> dict[str, Answer]:
    """The answers of a record by the names under which the probe knows their requests."""
    if isinstance(record, Control):
        return {f"c{record.number}.{each.user}": each for each in record.answers}
    stampede = {f"{record.number}.{each.user}": each for each in record.answers}
    return stampede | {f"{record.number}.f{turn}": each for turn, each in enumerate(record.follow_up)}


def number_threads(inside: Inside) -> dict[int, int]:
    """Threads by the order in which they were first seen, from 1: as the checkers count them."""
    order: dict[int, int] = {}
    for span in sorted(inside.spans, key=lambda each: each.begin):
        order.setdefault(span.thread, len(order) + 1)
    return order


def seen_until(record: Trial | Control, answers: Mapping[str, Answer]) -> float:
    """The last moment that anything is known of: where open bars are drawn to. Monotonic seconds."""
    ends = [each.last_byte for each in answers.values() if each.last_byte is not None]
    ends += [each.sent for each in answers.values() if each.sent is not None]
    for inside in record.evidence.inside:
        ends += [span.begin if span.end is None else span.end for span in inside.spans]
        ends += [mishap.at for mishap in inside.mishaps]
    return max(ends, default=record.begin)


@dataclass
class _Layout:
    """What the bars of one record are made from."""

    record: Trial | Control
    requests: Sequence[Request]
    answers: Mapping[str, Answer]
    graded: RequestOutcomes
    twice: frozenset[str]
    release: float
    last: float = 0.0
    drawn: set[str] = field(default_factory=set)
    """Names of requests that have a lane."""

    def __post_init__(self) -> None:
        last = seen_until(self.record, self.answers)
        still_open = any(each.last_byte is None for each in self.answers.values())
        # What never ended runs visibly past everything that did.
        self.last = last + (0.15 * (last - self.release) + 0.001 if still_open else 0.0)

    def at(self, seconds: float) -> float:
        return round(1000 * (seconds - self.release), 3)

    # -- lanes ---------------------------------------------------------------------------------------------------

    def group(self, inside: Inside) -> Group:
        numbers = number_threads(inside)
        by_thread: dict[int, list[Span]] = defaultdict(list)
        for span in sorted(inside.spans, key=lambda each: (each.begin, -(each.end or float("inf")))):
            by_thread[span.thread].append(span)
        counts = Counter(span.kind for span in inside.spans)
        waits = {
            # With the number that the evidence knows it by.
            each.thread: f"waits for {each.waits_for}{_held_by(each.owner, numbers)} (this is {each.thread})"
            for each in self.record.evidence.stacks
            if each.waits_for and each.process in (inside.process, NOBODY)
        }
        lanes = []
        for thread, spans in by_thread.items():
            bars = self._bars(spans, numbers[thread], counts, inside)
            lanes.append(
                Lane(
                    title=f"thread {numbers[thread]}",
                    bars=tuple(bars),
                    note=waits.get(thread, ""),
                    bad=any(bar.mark == "bad" for bar in bars),
                )
            )
        told = [f"process {inside.process.pid}"]
        if inside.booted is not None and inside.booted < self.release:
            told.append(f"interpreter started {_long(1000 * (self.release - inside.booted))} before the first request")
        if inside.strategy:
            told.append(f"threads disturbed: {inside.strategy}, seed {inside.seed}")
        return Group(", ".join(told), tuple(lanes))

    def _bars(self, spans: Sequence[Span], thread: int, counts: Counter[str], inside: Inside) -> list[Bar]:
        bars: list[Bar] = []
        enclosing: list[Span] = []
        free_from = self.release
        for span in spans:
            if span.kind == "request":
                bars += self._request(span, thread, inside, free_from)
                free_from = span.end or self.last
                continue
            while enclosing and (enclosing[-1].end or float("inf")) <= span.begin:
                enclosing.pop()
            bars.append(self._work(span, thread, min(1 + len(enclosing), DEEPEST), counts, inside))
            enclosing.append(span)
        return bars

    def unseen(self) -> Group | None:
        """Requests that no process recorded: lost on the way, or nothing was inside. Those that do not overlap share
        a lane."""
        lanes: list[list[Bar]] = []
        for name, answer in sorted(self.answers.items(), key=lambda item: item[1].sent or item[1].intended):
            if name in self.drawn:
                continue
            bar = self._wait(answer, name, 0, answer.sent or answer.intended, self.last)
            free = next((lane for lane in lanes if lane[-1].end <= bar.begin), None)
            if free is None:
                lanes.append([bar])
            else:
                free.append(bar)
        if not lanes:
            return None
        title = (
            "Seen by the client, by no thread of the site"
            if self.record.evidence.inside
            else "Seen by the client alone"
        )
        return Group(
            title,
            tuple(
                Lane(f"client {number}", tuple(bars), bad=any(bar.mark == "bad" for bar in bars))
                for number, bars in enumerate(lanes, 1)
            ),
        )

    # -- bars ----------------------------------------------------------------------------------------------------

    def _request(self, span: Span, thread: int, inside: Inside, free_from: float) -> list[Bar]:
        answer = self.answers.get(span.name)
        mishaps = [each for each in inside.mishaps if each.request == span.name and each.thread == span.thread]
        self.drawn.add(span.name)
        outcome, what = self.graded.get(span.name, ("ok", ""))
        request = self._asked(answer)
        notes = [f"request {span.name.partition('.')[2]}: {request}", *self._told(answer, outcome, what, mishaps)]
        bar = Bar(
            kind="request",
            name=request,
            begin=self.at(span.begin),
            end=self.at(span.end if span.end is not None else self.last),
            row=0,
            thread=thread,
            open=span.end is None,
            mark=_mark(outcome),
            text=f"{request} {_result(answer)}",
            notes=tuple(notes),
        )
        raised = [self._raised(each, thread) for each in mishaps]
        if answer is None or answer.sent is None:
            return [bar, *raised]
        # What its client waited for until a thread took it; where a thread served another before, from that one's end.
        wait = self._wait(answer, span.name, thread, max(answer.sent, free_from), span.begin)
        waited = [replace(wait, notes=(*wait.notes, "until a thread took it"))] if wait.length > 0 else []
        return [*waited, bar, *raised]

    def _raised(self, mishap: Mishap, thread: int) -> Bar:
        """The moment at which a request failed."""
        return Bar(
            kind="error",
            name=mishap.error,
            begin=self.at(mishap.at),
            end=self.at(mishap.at),
            row=0,
            thread=thread,
            text=mishap.error,
            notes=("the exception was caught by the server here",),
            evidence=own_frames(mishap.traceback.splitlines()),
        )

    def _wait(self, answer: Answer, name: str, thread: int, begin: float, end: float) -> Bar:
        outcome, what = self.graded.get(name, ("ok", ""))
        taken = name in self.drawn
        request = self._asked(answer)
        until = end if taken or answer.last_byte is None else answer.last_byte
        return Bar(
            kind="wait",
            name=request,
            begin=self.at(begin),
            end=self.at(until),
            row=0,
            thread=thread,
            open=not taken and answer.last_byte is None,
            mark="" if taken else _mark(outcome),
            text=f"{request} waits" if taken else f"{request} {_result(answer)}",
            notes=(f"request {name.partition('.')[2]}: {request}",)
            if taken
            else (f"request {name.partition('.')[2]}: {request}", *self._told(answer, outcome, what, ())),
        )

    def _work(self, span: Span, thread: int, row: int, counts: Counter[str], inside: Inside) -> Bar:
        doubled = span.kind in self.twice and counts[span.kind] > 1
        others = sum(
            each.kind == "request" and each.thread != span.thread and _overlap(each, span) for each in inside.spans
        )
        within = [each for each in inside.spans if each.kind == "request" and each.thread == span.thread]
        host = next((each.name for each in within if _overlap(each, span)), "")
        notes = [f"inside request {host.partition('.')[2]}" if host else "outside any request"]
        if others:
            notes.append(f"{others} other request{'s' * (others > 1)} in the process meanwhile")
        if span.callers:
            notes.append(f"asked for by {span.callers[0]}")
        if span.nested:
            notes.append(f"pulled in {span.nested} further module{'s' * (span.nested > 1)}")
        if doubled:
            notes.append(f"one of {counts[span.kind]} in this process")
        if span.failed:
            notes.append("raised an exception")
        if span.end is None:
            notes.append("never ended while it was watched")
        name = span.name.rpartition("/")[2] if span.kind == "script" else span.name
        return Bar(
            kind=span.kind,
            name=name,
            begin=self.at(span.begin),
            end=self.at(span.end if span.end is not None else self.last),
            row=row,
            thread=thread,
            open=span.end is None,
            mark="failed" if span.failed else "twice" if doubled else "",
            text=f"{span.kind} {name}".strip(),
            notes=tuple(notes),
        )

    # -- words ---------------------------------------------------------------------------------------------------

    def _asked(self, answer: Answer | None) -> str:
        if answer is None or answer.request >= len(self.requests):
            return "a request"
        return str(self.requests[answer.request])

    def _told(self, answer: Answer | None, outcome: OutcomeName, what: str, mishaps: Sequence[Mishap]) -> list[str]:
        told = [f"{outcome}: {what}" if what else outcome]
        told += [each.error for each in mishaps]
        if answer is not None and answer.sent is not None:
            got = f", answered at {self.at(answer.last_byte):.1f} ms" if answer.last_byte is not None else ""
            told.append(f"sent at {self.at(answer.sent):.1f} ms{got}")
        if answer is not None and answer.count is not None:
            told.append(f"number {answer.count} in its process")
        return told


def _held_by(owner: int, numbers: Mapping[int, int]) -> str:
    return f", held by thread {numbers.get(owner, owner)}" if owner else ""


def _mark(outcome: OutcomeName) -> Mark:
    return "" if outcome == "ok" else "bad"


def _result(answer: Answer | None) -> str:
    if answer is None:
        return ""
    return (
        str(answer.status)
        if answer.status is not None
        else {"open": "no answer"}.get(answer.failure or "", answer.failure or "")
    )


def _overlap(one: Span, other: Span) -> bool:
    return (one.end is None or one.end >= other.begin) and (other.end is None or other.end >= one.begin)


def _long(milliseconds: float) -> str:
    return f"{milliseconds / 1000:.1f} s" if milliseconds >= 1000 else f"{milliseconds:.0f} ms"


def _thinned(groups: Sequence[Group], most: int) -> tuple[list[Group], int]:
    """The groups with at most so many bars: of unremarkable initialisation, the shortest is left out."""
    bars = [bar for group in groups for lane in group.lanes for bar in lane.bars]
    spare = sorted((bar.length, index) for index, bar in enumerate(bars) if _may_go(bar))
    away = {index for _, index in spare[: max(0, len(bars) - most)]}
    kept = iter([index not in away for index in range(len(bars))])
    thin = [
        replace(
            group,
            lanes=tuple(replace(lane, bars=tuple(bar for bar in lane.bars if next(kept))) for lane in group.lanes),
        )
        for group in groups
    ]
    return thin, len(away)


def _may_go(bar: Bar) -> bool:
    return bar.kind not in ("request", "wait", "error", "script") and not bar.mark and not bar.open
