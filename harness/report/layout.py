"""Lays a trial out as a timeline. Pure: from a record to lanes and bars."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from harness.checkers.tracebacks import own_frames
from harness.records import Answer, Control, Inside, Mishap, OutcomeName, ProcessId, Request, Span, Trial
from harness.report.timeline import Bar, Group, Lane, Mark, Timeline, views_of

RequestOutcomes = Mapping[str, tuple[OutcomeName, str]]
"""The outcome of each request by its name (`3.14`, `3.f0`, `c1.0`), and what happened in words."""

# Bars of one trial: so many lie in 15 lanes without hiding each other. The shortest initialisation is left out first.
MOST_BARS = 260
# Rows of nested work in a lane: deeper imports share the last, or one lane would fill the screen.
DEEPEST = 4
# How far open bars run past everything that ended, as a share of the trial: enough to be seen.
_OVERHANG = 0.15
NOBODY = ProcessId(0, 0)
"""The process of a stack in records that did not tell it."""


def lay_out(
    record: Trial | Control,
    requests: Sequence[Request],
    outcomes: RequestOutcomes,
    repeated: Collection[str] = (),
    *,
    most: int = MOST_BARS,
) -> Timeline:
    """The timeline of a trial or a control.

    Args:
        record: the trial or control.
        requests: the requests of its case.
        outcomes: the outcome of each request; one that is not `ok` is marked.
        repeated: kinds of initialisation that a process did more often than it should have.
        most: the largest number of bars.
    """
    answers = name_answers(record)
    release = min((answer.intended for answer in answers.values()), default=record.begin)
    layout = _Layout(record, requests, answers, outcomes, frozenset(repeated), release)
    groups = [layout.group(inside) for inside in record.evidence.inside]
    unseen = layout.unseen()
    if unseen is not None:
        groups.append(unseen)
    groups, left_out = _thinned([group for group in groups if group.lanes], most)
    what = "Trial" if isinstance(record, Trial) else "Control"
    return Timeline(f"{what} {record.number}", tuple(groups), views_of(groups), left_out)


def name_answers(record: Trial | Control) -> dict[str, Answer]:
    """The answers of a record by the names under which the probe knows their requests."""
    if isinstance(record, Control):
        return {f"c{record.number}.{answer.user}": answer for answer in record.answers}
    stampede = {f"{record.number}.{answer.user}": answer for answer in record.answers}
    return stampede | {f"{record.number}.f{turn}": answer for turn, answer in enumerate(record.follow_up)}


def seen_until(record: Trial | Control, answers: Mapping[str, Answer]) -> float:
    """The last moment in a record, in monotonic seconds: open bars are drawn to it."""
    ends = [answer.last_byte for answer in answers.values() if answer.last_byte is not None]
    ends += [answer.sent for answer in answers.values() if answer.sent is not None]
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
    outcomes: RequestOutcomes
    repeated: frozenset[str]
    release: float
    last: float = 0.0
    drawn: set[str] = field(default_factory=set)
    """Names of requests that have a lane."""

    def __post_init__(self) -> None:
        last = seen_until(self.record, self.answers)
        still_open = any(answer.last_byte is None for answer in self.answers.values())
        self.last = last + (_OVERHANG * (last - self.release) + 0.001 if still_open else 0.0)

    def at(self, seconds: float) -> float:
        return round(1000 * (seconds - self.release), 3)

    # -- lanes ---------------------------------------------------------------------------------------------------

    def group(self, inside: Inside) -> Group:
        numbers = inside.number_threads()
        by_thread: dict[int, list[Span]] = defaultdict(list)
        for span in outer_first(inside.spans):
            by_thread[span.thread].append(span)
        counts = Counter(span.kind for span in inside.spans)
        waits = {}
        for stack in self.record.evidence.stacks:
            if stack.waits_for and stack.process in (inside.process, NOBODY):
                held_by = f", held by thread {numbers.get(stack.owner, stack.owner)}" if stack.owner else ""
                # With its number in the evidence.
                waits[stack.thread] = f"waits for {stack.waits_for}{held_by} (this is {stack.thread})"
        lanes = tuple(
            Lane(
                title=f"thread {numbers[thread]}",
                bars=tuple(self._bars(spans, numbers[thread], counts, inside)),
                note=waits.get(thread, ""),
            )
            for thread, spans in by_thread.items()
        )
        title = [f"process {inside.process.pid}"]
        if inside.booted is not None and inside.booted < self.release:
            seconds = self.release - inside.booted
            long = f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"
            title.append(f"interpreter started {long} before the first request")
        if inside.strategy:
            title.append(f"perturbed threads: {inside.strategy}, seed {inside.seed}")
        return Group(", ".join(title), lanes)

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
        """Requests that no process recorded: lost on the way, or sent to a process without a probe. Those that do not
        overlap share a lane."""
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
        title = "Seen by the client, but by no process" if self.record.evidence.inside else "Seen by the client only"
        return Group(title, tuple(Lane(f"client {number}", tuple(bars)) for number, bars in enumerate(lanes, 1)))

    # -- bars ----------------------------------------------------------------------------------------------------

    def _request(self, span: Span, thread: int, inside: Inside, free_from: float) -> list[Bar]:
        answer = self.answers.get(span.name)
        mishaps = [mishap for mishap in inside.mishaps if mishap.request == span.name and mishap.thread == span.thread]
        self.drawn.add(span.name)
        outcome, what = self.outcomes.get(span.name, ("ok", ""))
        request = self._request_text(answer)
        notes = [_request_note(span.name, request), *self._answer_notes(answer, outcome, what, mishaps)]
        bar = Bar(
            kind="request",
            name=request,
            begin=self.at(span.begin),
            end=self.at(span.end if span.end is not None else self.last),
            row=0,
            thread=thread,
            open=span.end is None,
            mark=_mark(outcome),
            text=f"{request} {_status_text(answer)}",
            notes=tuple(notes),
            follow_up=".f" in span.name,
        )
        raised = [self._exception(mishap, thread) for mishap in mishaps]
        if answer is None or answer.sent is None:
            return [bar, *raised]
        # From the send until a thread took it; where that thread served another request before, from that one's end.
        wait = self._wait(answer, span.name, thread, max(answer.sent, free_from), span.begin)
        waits = [replace(wait, notes=(*wait.notes, "until a thread took it"))] if wait.length > 0 else []
        return [*waits, bar, *raised]

    def _exception(self, mishap: Mishap, thread: int) -> Bar:
        """The moment at which a request failed."""
        return Bar(
            kind="error",
            name=mishap.error,
            begin=self.at(mishap.at),
            end=self.at(mishap.at),
            row=0,
            thread=thread,
            text=mishap.error,
            notes=("the exception reached the server here",),
            evidence=own_frames(mishap.traceback.splitlines()),
        )

    def _wait(self, answer: Answer, name: str, thread: int, begin: float, end: float) -> Bar:
        outcome, what = self.outcomes.get(name, ("ok", ""))
        taken = name in self.drawn
        request = self._request_text(answer)
        until = end if taken or answer.last_byte is None else answer.last_byte
        notes = [] if taken else self._answer_notes(answer, outcome, what, ())
        return Bar(
            kind="wait",
            name=request,
            begin=self.at(begin),
            end=self.at(until),
            row=0,
            thread=thread,
            open=not taken and answer.last_byte is None,
            mark="" if taken else _mark(outcome),
            text=f"{request} waits" if taken else f"{request} {_status_text(answer)}",
            notes=(_request_note(name, request), *notes),
        )

    def _work(self, span: Span, thread: int, row: int, counts: Counter[str], inside: Inside) -> Bar:
        doubled = span.kind in self.repeated and counts[span.kind] > 1
        meanwhile = [other for other in inside.spans if other.kind == "request" and other.overlaps(span)]
        others = sum(request.thread != span.thread for request in meanwhile)
        host = next((request.name for request in meanwhile if request.thread == span.thread), "")
        notes = [f"inside request {host.partition('.')[2]}" if host else "outside any request"]
        if others:
            notes.append(f"{others} other request{'s' * (others > 1)} in the process meanwhile")
        if span.callers:
            notes.append(f"called from {span.callers[0]}")
        if span.nested:
            notes.append(f"imported {span.nested} further module{'s' * (span.nested > 1)}")
        if doubled:
            notes.append(f"one of {counts[span.kind]} in this process")
        if span.failed:
            notes.append("raised an exception")
        if span.end is None:
            notes.append("had not ended when the trial did")
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

    def _request_text(self, answer: Answer | None) -> str:
        if answer is None or answer.request >= len(self.requests):
            return "a request"
        return str(self.requests[answer.request])

    def _answer_notes(
        self, answer: Answer | None, outcome: OutcomeName, what: str, mishaps: Sequence[Mishap]
    ) -> list[str]:
        notes = [f"{outcome}: {what}" if what else outcome]
        notes += [mishap.error for mishap in mishaps]
        if answer is not None and answer.sent is not None:
            end = f", answered at {self.at(answer.last_byte):.1f} ms" if answer.last_byte is not None else ""
            notes.append(f"sent at {self.at(answer.sent):.1f} ms{end}")
        if answer is not None and answer.count is not None:
            notes.append(f"request number {answer.count} of its process")
        return notes


def outer_first(spans: Iterable[Span]) -> list[Span]:
    """Spans by when they began; of two that began together, the one around the other first."""
    return sorted(spans, key=lambda span: (span.begin, -(span.end or float("inf"))))


def _request_note(name: str, request: str) -> str:
    return f"request {name.partition('.')[2]}: {request}"


def _mark(outcome: OutcomeName) -> Mark:
    return "" if outcome == "ok" else "bad"


def _status_text(answer: Answer | None) -> str:
    if answer is None:
        return ""
    if answer.status is not None:
        return str(answer.status)
    return "no answer" if answer.failure == "open" else answer.failure or ""


def _thinned(groups: Sequence[Group], most: int) -> tuple[list[Group], int]:
    """The groups with at most `most` bars, and how many were left out: the shortest unremarkable initialisation."""
    bars = [bar for group in groups for lane in group.lanes for bar in lane.bars]
    spare = sorted((bar.length, index) for index, bar in enumerate(bars) if _unremarkable(bar))
    away = {index for _, index in spare[: max(0, len(bars) - most)]}
    keeps = iter([index not in away for index in range(len(bars))])
    thin = [
        replace(
            group,
            lanes=tuple(replace(lane, bars=tuple(bar for bar in lane.bars if next(keeps))) for lane in group.lanes),
        )
        for group in groups
    ]
    return thin, len(away)


def _unremarkable(bar: Bar) -> bool:
    return bar.kind not in ("request", "wait", "error", "script") and not bar.mark and not bar.open
