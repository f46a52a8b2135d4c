"""The story of a finding: which request failed where, what that leads to, which threads were at it, and what it cost.
Pure: from one trial's record; nothing is told that is not in it, and a consequence is never told as a cause."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from harness.checkers import cause
from harness.checkers.answers import grade_answer
from harness.checkers.findings import Finding
from harness.checkers.yardstick import Yardstick
from harness.records import Answer, CodePlace, Inside, Mishap, ProcessId, Span, Trial

WORDS = {
    "settings": "building the settings",
    "app-registry": "populating the app registry",
    "middleware": "building the handler and its middleware",
    "urlconf": "importing the URLconf",
    "resolver": "building the resolver's tables",
    "template-engine": "building a template engine",
    "catalogue": "loading a catalogue",
    "import": "executing module",
    "script": "importing the script",
}
PREVENTION = {
    "settings": "load the settings while the script is imported, under the server's lock: call django.setup() in it",
    "app-registry": "call django.setup() once, at the script's top level, where the server's lock keeps requests out",
    "middleware": "build the handler once, at the script's top level: application = get_wsgi_application()",
    "urlconf": "import the URLconf while the script is imported",
    "resolver": "build the resolver's tables while the script is imported: call reverse() once for each language",
    "template-engine": "build the template engines while the script is imported: django.template.engines.all()",
    "catalogue": "load the catalogue of every language in use while the script is imported",
    "import": "import {name} while the script is imported, by one thread",
}
_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\S+)')
_NAMED = 3  # requests or threads that a sentence names; more are hard to read


def tell(finding: Finding, trial: Trial, yardstick: Yardstick) -> tuple[str, ...]:
    """The sentences of a finding's story; () where the record holds no more than its summary."""
    teller = _StoryTeller(trial, yardstick)
    if finding.race_class == "failed-request":
        return teller.failed(finding)
    if finding.race_class == "duplicate-init":
        return teller.duplicate(finding)
    return teller.cost(finding) if finding.race_class else ()


class _StoryTeller:
    """One trial, with the names that the sentences about it use."""

    def __init__(self, trial: Trial, yardstick: Yardstick) -> None:
        self._trial = trial
        self._yardstick = yardstick
        self._requests = yardstick.requests
        sent = [answer.sent for answer in trial.answers if answer.sent is not None]
        self._release = min(sent, default=trial.begin)
        self._answers = {f"{trial.number}.{answer.user}": answer for answer in trial.answers}
        self._threads = {inside.process: inside.number_threads() for inside in trial.evidence.inside}

    # -- the three kinds of stories ------------------------------------------------------------------

    def failed(self, finding: Finding) -> tuple[str, ...]:
        inside, mishap = self._mishap(finding.name)
        if inside is None or mishap is None:
            return self.cost(finding)
        seen = f"{self._thread(mishap)} ({self._request(mishap.request)})"
        # The probe learns of an exception when it has left the view: it was raised a moment before.
        sentences = [f"{seen} failed at {self._at(mishap.at)}{_place(mishap.traceback)}: {mishap.error}."]
        first = cause.witnessed(self._trial.evidence, finding.name)
        at, failure = first or (inside, mishap)
        worker = cause.maker(at, failure)
        sentences += self._leads(at, failure, worker)
        return (*sentences, *self.cost(finding, worker))

    def _leads(self, inside: Inside, mishap: Mishap, worker: Span | None) -> Iterable[str]:
        """What the failure leads to, and which threads were at it just then."""
        lead = mishap.witness.lead if mishap.witness else None
        if lead is not None:
            yield f"{_capital(cause.proof(lead, inside, mishap))}."
        if worker is not None:
            yield f"{self._who(worker, inside)} was {_work(worker)} {self._when(worker)}{_called(worker)}."
        company = cause.company(mishap)
        others = [f"{self._named(thread, inside.process)} at line {place.line}" for thread, place in company]
        if others:
            yield f"In the same function at that moment: {_listed(others)}."
        executing = any(cause.executors(mishap, lead.name)) if lead is not None else False
        if not (worker or others or executing):
            yield "What another thread did to cause it, the record does not show."

    def duplicate(self, finding: Finding) -> tuple[str, ...]:
        inside = next((one for one in self._trial.evidence.inside if str(one.process) == finding.process), None)
        same = [
            span
            for span in (inside.spans if inside else ())
            if span.kind == finding.kind or (finding.module and span.name == finding.module)
        ]
        spans = sorted(same, key=lambda span: span.begin)
        if inside is None or len(spans) < 2:
            return self.cost(finding)
        first, *others = spans
        early = [span for span in others if first.end is None or span.begin < first.end]
        when = "before that was finished" if early else "again, later"
        who = _listed([self._who(span, inside) for span in early or others])
        return (
            f"{self._who(first, inside)} was {_work(first)} {self._when(first)}{_called(first)}.",
            f"{who} started the same work {when}.",
            *self.cost(finding, first),
        )

    def cost(self, finding: Finding, worker: Span | None = None) -> tuple[str, ...]:
        """Which requests failed, whether the process recovered, and what would have prevented it."""
        trial = self._trial
        failed = [answer for answer in trial.answers if self._has_failed(answer)]
        if failed:
            paths = Counter(str(self._requests[answer.request]) for answer in failed)
            what = _listed([f"{path} ({count})" for path, count in sorted(paths.items())])
            cost = f"{len(failed)} of {len(trial.answers)} requests failed: {what}{self._after()}."
        else:
            slowest = max((answer.seconds or 0.0 for answer in trial.answers), default=0.0)
            cost = (
                f"All {len(trial.answers)} requests got the right answer, so no client noticed; "
                f"the slowest took {1000 * slowest:.0f} ms."
            )
        prevented = prevention(finding, worker)
        return (cost, f"To prevent it: {prevented}.") if prevented else (cost,)

    # -- who and when --------------------------------------------------------------------------------

    def _has_failed(self, answer: Answer) -> bool:
        return grade_answer(answer, self._trial, self._yardstick)[0] != "ok"

    def _after(self) -> str:
        if not self._trial.follow_up:
            return ""
        if any(self._has_failed(answer) for answer in self._trial.follow_up):
            return "; the process has kept failing since"
        return "; the process has answered correctly since"

    def _mishap(self, name: str) -> tuple[Inside | None, Mishap | None]:
        pairs = ((inside, mishap) for inside in self._trial.evidence.inside for mishap in inside.mishaps)
        return next((pair for pair in pairs if pair[1].request == name), (None, None))

    def _thread(self, what: Span | Mishap) -> str:
        return _capital(self._named(what.thread, what.process))

    def _who(self, span: Span, inside: Inside) -> str:
        same = (one for one in inside.spans if one.kind == "request" and one.thread == span.thread)
        before = (one for one in same if one.begin <= span.begin)
        name = next((one.name for one in before if one.end is None or one.end >= span.begin), "")
        return f"{self._thread(span)} ({self._request(name)})" if name else self._thread(span)

    def _named(self, thread: int, process: ProcessId) -> str:
        number = self._threads.get(process, {}).get(thread, "?")
        return f"thread {number}" + (f" of process {process.pid}" if len(self._threads) > 1 else "")

    def _request(self, name: str) -> str:
        answer = self._answers.get(name)
        return f"{self._requests[answer.request]}, request {name}" if answer else f"request {name}"

    def _at(self, moment: float) -> str:
        return f"{1000 * (moment - self._release):+.1f} ms"

    def _when(self, span: Span) -> str:
        return f"from {self._at(span.begin)} " + (f"to {self._at(span.end)}" if span.end is not None else "on")


def prevention(finding: Finding, worker: Span | None = None) -> str:
    """What would have prevented a race, as half a sentence; "" where that is not known."""
    if worker is not None:
        return PREVENTION.get(worker.kind, "").format(name=worker.name or "it")
    if finding.module:
        return PREVENTION["import"].format(name=finding.module)
    if finding.race_class == "hang":
        return "take the two locks in the same order everywhere, or use what takes them while the script is imported"
    if finding.kind == "state":
        return "set it once, while the script is imported, and not in requests"
    return PREVENTION.get(finding.kind, "")


def _work(span: Span) -> str:
    words = WORDS.get(span.kind, span.kind)
    return f"{words} {span.name}" if span.name else words


def _called(span: Span) -> str:
    return f" (called from {span.callers[0]})" if span.callers else ""


def _place(traceback: str) -> str:
    frames = _FRAME.findall(traceback)
    if not frames:
        return ""
    path, line, function = frames[-1]
    return f" in {cause.text(CodePlace(path, int(line), function, ''))}"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]


def _listed(names: Iterable[str]) -> str:
    named = list(names)
    rest = len(named) - _NAMED
    if rest > 0:
        return f"{', '.join(named[:_NAMED])} and {rest} more"
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"
