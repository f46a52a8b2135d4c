"""Each answer of a stampede against the control."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checkers.findings import Finding
from harness.checkers.hang import waiting_story
from harness.checkers.tracebacks import errors_in, own_frames
from harness.checkers.yardstick import Yardstick
from harness.records import Answer, OutcomeName, Request, Trial

# Statuses with which the server itself says that it has no process to ask.
_SERVER_UNAVAILABLE = (502, 503, 504)


def grade_answers(trial: Trial, baseline: Yardstick) -> Iterable[tuple[OutcomeName, Finding | None]]:
    """The outcome of each request of the stampede, with a finding for each that is not ok."""
    for answer in trial.answers:
        outcome, what = grade_answer(answer, trial, baseline)
        yield outcome, None if outcome == "ok" else _finding(outcome, what, answer, trial, baseline, answer.user)


def grade_follow_up(trial: Trial, baseline: Yardstick) -> Iterable[tuple[OutcomeName, Finding | None]]:
    """Single requests after the stampede that still fail: the process is poisoned."""
    for turn, answer in enumerate(trial.follow_up):
        outcome, what = grade_later_answer(answer, trial, baseline)
        yield outcome, None if outcome == "ok" else _finding(outcome, what, answer, trial, baseline, f"f{turn}")


def grade_later_answer(answer: Answer, trial: Trial, baseline: Yardstick) -> tuple[OutcomeName, str]:
    """As `grade_answer`, of a request that followed the stampede."""
    outcome, what = grade_answer(answer, trial, baseline)
    if outcome in ("error", "wrong", "hang", "crash"):
        return "poisoned", f"after the stampede, one request at a time, still {what}"
    return outcome, what


def grade_answer(answer: Answer, trial: Trial, baseline: Yardstick) -> tuple[OutcomeName, str]:  # noqa: PLR0911
    """The outcome of one answer, and what happened in words."""
    expected = baseline.expected.get(answer.request)
    gone = any(each.gone for each in trial.evidence.processes)
    if answer.failure == "open":
        living = [each for each in trial.evidence.processes if not each.gone]
        if gone and not living:
            return "crash", "got no answer, and its process ended"
        if living and all(each.idle for each in living):
            return "hang", "got no answer, and the CPU time of its process stood still"
        return "slow", "got no answer in time, but its process was still working"
    if answer.failure is not None:
        if gone:
            return "crash", f"lost its connection ({answer.failure}) when the process ended"
        return "dropped", f"was dropped ({answer.failure})"
    if expected is None:
        return "unknown", f"got status {answer.status}, and no control has asked for it"
    status = answer.status or 0
    if status not in expected.statuses:
        right = "/".join(map(str, sorted(expected.statuses)))
        if gone and answer.process is None:
            return "crash", f"got status {status} instead of {right} when the process ended"
        if status in _SERVER_UNAVAILABLE and answer.process is None:
            return "dropped", f"got {status} from the server, which had no process to ask"
        return "error" if status >= 500 else "wrong", f"got status {status} instead of {right}"
    for name, template in expected.headers.items():
        given = answer.headers.get(name, "")
        if not template.matches(given):
            return "wrong", f"got a wrong header {name}: {template.difference(given)}"
    if not expected.body.matches(answer.body):
        return "wrong", f"got a wrong body: {expected.body.difference(answer.body)}"
    return "ok", ""


def _finding(
    outcome: OutcomeName, what: str, answer: Answer, trial: Trial, baseline: Yardstick, user: int | str
) -> Finding:
    request = baseline.requests[answer.request]
    name = f"{trial.number}.{user}"
    error, evidence = explain(name, trial)
    if outcome == "hang":
        error, evidence = waiting_story(trial.evidence.stacks)
    summary = f"{_subject(request)} {what}" + (f": {error}" if error else "")
    return Finding(
        outcome=outcome,
        summary=summary,
        trial=trial.number,
        request=str(request),
        name=name,
        process=str(answer.process or ""),
        race_class=None
        if outcome in ("slow", "dropped", "unknown")
        else "hang"
        if outcome == "hang"
        else "failed-request",
        evidence=evidence,
        key=f"{outcome}|{request}|{error.partition(':')[0]}" if outcome != "hang" else outcome,
    )


def _subject(request: Request) -> str:
    return f"{request.method} {request.path}"


def explain(name: str, trial: Trial) -> tuple[str, tuple[str, ...]]:
    """The error of one request and the end of its traceback: from the probe, else from the server's log."""
    for inside in trial.evidence.inside:
        for mishap in inside.mishaps:
            if mishap.request == name:
                return mishap.error, own_frames(mishap.traceback.splitlines())
    errors = errors_in(trial.evidence.log)
    if not errors:
        return "", ()
    return f"the server's log of that moment says {errors[-1]}", own_frames([line.text for line in trial.evidence.log])
