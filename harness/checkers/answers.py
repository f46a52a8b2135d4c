"""Compares each answer of a stampede with the answers of the controls."""

from __future__ import annotations

from collections.abc import Iterable

from harness.checkers.findings import BAD_ANSWERS, RACES, Finding
from harness.checkers.hang import import_is_awaited, waiting_story
from harness.checkers.tracebacks import errors_in, last_place, own_frames
from harness.checkers.yardstick import Yardstick
from harness.records import UNENDED, Answer, OutcomeName, Trial

# Statuses with which the server itself says that it has no process to pass the request to.
_SERVER_UNAVAILABLE = (502, 503, 504)
# The server's log does not say whose error it is.
_FROM_LOG = "the server's log of that moment says "


def grade_answers(trial: Trial, yardstick: Yardstick) -> Iterable[tuple[OutcomeName, Finding | None]]:
    """The outcome of each request of the stampede, with a finding for each that is not ok."""
    for answer in trial.answers:
        outcome, what = grade_answer(answer, trial, yardstick)
        yield outcome, None if outcome == "ok" else _finding(outcome, what, answer, trial, yardstick, answer.user)


def grade_follow_up(trial: Trial, yardstick: Yardstick) -> Iterable[tuple[OutcomeName, Finding | None]]:
    """The outcome of each single request after the stampede: one that still fails shows a poisoned process."""
    for turn, answer in enumerate(trial.follow_up):
        outcome, what = grade_later_answer(answer, trial, yardstick)
        yield outcome, None if outcome == "ok" else _finding(outcome, what, answer, trial, yardstick, f"f{turn}")


def grade_later_answer(answer: Answer, trial: Trial, yardstick: Yardstick) -> tuple[OutcomeName, str]:
    """As `grade_answer`, for a request that followed the stampede."""
    outcome, what = grade_answer(answer, trial, yardstick)
    if outcome in ("error", "wrong", "hang", "crash"):
        return "poisoned", f"after the stampede, one request at a time, still {what}"
    return outcome, what


def _grade_failure(answer: Answer, trial: Trial) -> tuple[OutcomeName, str]:  # noqa: PLR0911
    """The outcome of a request without a whole answer."""
    living = [process for process in trial.evidence.processes if not process.gone]
    gone = len(living) < len(trial.evidence.processes)
    if answer.failure == "cut" and not any(stack.for_good for stack in trial.evidence.stacks):
        return "unknown", f"was cut off: {answer.body}"
    if answer.failure in UNENDED:
        if gone and not living:
            return "crash", "got no answer, and its process ended"
        if living and all(process.idle for process in living):
            return "hang", "got no answer while its process used no CPU time"
        return "slow", "got no answer in time, but its process was still using CPU time"
    if gone:
        return "crash", f"lost its connection ({answer.failure}) when the process ended"
    if answer.failure in BAD_ANSWERS:
        return "error", f"got {BAD_ANSWERS[answer.failure]}: {answer.body}"
    return "dropped", f"was dropped ({answer.failure})"


def grade_answer(answer: Answer, trial: Trial, yardstick: Yardstick) -> tuple[OutcomeName, str]:  # noqa: PLR0911
    """The outcome of one answer, and in words what the request got."""
    if answer.failure is not None:
        return _grade_failure(answer, trial)
    expected = yardstick.expected.get(answer.request)
    gone = any(process.gone for process in trial.evidence.processes)
    if expected is None:
        return "unknown", f"got status {answer.status}, but no control sent this request"
    status = answer.status or 0
    if status not in expected.statuses:
        right = "/".join(map(str, sorted(expected.statuses)))
        if gone and answer.process is None:
            return "crash", f"got status {status} instead of {right} when the process ended"
        if status in _SERVER_UNAVAILABLE and answer.process is None:
            return "dropped", f"got {status} from the server, which had no process to pass the request to"
        return "error" if status >= 500 else "wrong", f"got status {status} instead of {right}"
    for name, template in expected.headers.items():
        given = answer.headers.get(name, "")
        if not template.matches(given):
            return "wrong", f"got a wrong header {name}: {template.difference(given)}"
    if not expected.body.matches(answer.body):
        return "wrong", f"got a wrong body: {expected.body.difference(answer.body)}"
    if status < 500 and any(name_of(answer, trial) in inside.raised for inside in trial.evidence.inside):
        return "error", "got an answer that raised before its end"
    return "ok", ""


def name_of(answer: Answer, trial: Trial) -> str:
    """An answer's request as the probe knows it."""
    turns = (f"f{turn}" for turn, follow_up in enumerate(trial.follow_up) if follow_up is answer)
    return f"{trial.number}.{next(turns, answer.user)}"


def cut_off(trial: Trial, yardstick: Yardstick) -> list[str]:
    """Each request whose answer the harness has cut off, as a sentence: such a trial proves nothing."""
    answers = (*trial.answers, *trial.follow_up)
    return [
        f"{yardstick.requests[answer.request]}: its answer was cut off: {answer.body}"
        for answer in answers
        if answer.failure == "cut" and grade_answer(answer, trial, yardstick)[0] == "unknown"
    ]


def _finding(
    outcome: OutcomeName, what: str, answer: Answer, trial: Trial, yardstick: Yardstick, user: int | str
) -> Finding:
    request = yardstick.requests[answer.request]
    name = f"{trial.number}.{user}"
    error, evidence = explain(name, trial)
    why, waits_for_import = error, False
    if outcome == "hang":
        why, evidence = waiting_story(trial.evidence.stacks)
        error, waits_for_import = "", import_is_awaited(trial.evidence.stacks)
    summary = f"{request} {what}" + (f": {why}" if why else "")
    return Finding(
        outcome=outcome,
        summary=summary,
        trial=trial.number,
        request=str(request),
        name=name,
        process=str(answer.process or ""),
        race_class=RACES.get(outcome),
        evidence=evidence,
        kind="import" if waits_for_import else "",
        error=error.removeprefix(_FROM_LOG),
        place=last_place(evidence) if error else "",
        key=f"{outcome}|{request}|{error.partition(':')[0]}" if outcome != "hang" else outcome,
    )


def explain(name: str, trial: Trial) -> tuple[str, tuple[str, ...]]:
    """The error of one request and the end of its traceback: from the probe, or else from the server's log."""
    for inside in trial.evidence.inside:
        for mishap in inside.mishaps:
            if mishap.request == name:
                return mishap.error, own_frames(mishap.traceback.splitlines())
    errors = errors_in(trial.evidence.log)
    if not errors:
        return "", ()
    return _FROM_LOG + errors[-1], own_frames([line.text for line in trial.evidence.log])
