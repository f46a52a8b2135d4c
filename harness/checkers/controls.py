"""Whether the site works one request at a time. If it does not, it is broken, and none of its failures is a race."""

from __future__ import annotations

import re
from collections.abc import Sequence

from harness.checkers.findings import BAD_ANSWERS, Finding
from harness.checkers.hang import waiting_story
from harness.checkers.tracebacks import errors_in, own_frames
from harness.errors import BadInput, Inconclusive
from harness.records import Answer, BrokenClass, Control, LogLine, Request

_HINTS = (
    ("AppRegistryNotReady", "call django.setup() or get_wsgi_application() while the script is imported"),
    ("No module named 'django'", "choose the environment that has the site's Django (check: --python)"),
    ("No module named", "put the directory of this module on sys.path in the script"),
    ("ImproperlyConfigured: Requested setting", "set DJANGO_SETTINGS_MODULE before anything uses Django"),
    ("populate() isn't reentrant", "an earlier, failed django.setup() left a half-built registry in this process"),
)


def judge_controls(controls: Sequence[Control], requests: tuple[Request, ...]) -> Finding | None:
    """None if the site answers as declared; otherwise why it is `broken`, with its class. Raises BadInput: every wrong
    answer is a 4xx: the request is wrong, not the site; Inconclusive: an answer was slow, and did not hang, or it was
    cut off."""
    for control in controls:
        for answer in control.answers:
            if answer.failure == "open":
                return _hang(control, answer, requests)
    for control in controls:
        for answer in control.answers:
            if answer.failure == "cut":
                raise Inconclusive(f"{requests[answer.request]}: its answer was cut off: {answer.body}")
    for control in controls:
        bad = [
            answer
            for answer in control.answers
            if not is_right(answer, requests[answer.request]) or _has_raised(answer, control)
        ]
        server_side = [
            answer
            for answer in bad
            if answer.failure is not None
            or answer.status is None
            or answer.status >= 500
            or _has_raised(answer, control)
        ]
        if server_side:
            return _failing(control, server_side, requests)
        if bad:
            raise BadInput(_refusal(bad[0], requests[bad[0].request]))
    return None


def is_right(answer: Answer, request: Request) -> bool:
    if answer.failure is not None:
        return False
    if request.status is not None:
        return answer.status == request.status
    return answer.status is not None and 200 <= answer.status < 400


def _has_raised(answer: Answer, control: Control) -> bool:
    """Did the request raise into the server after the begin of its answer? That promised a whole one."""
    begun = answer.status is not None and answer.status < 500
    return begun and any(f"c{control.number}.{answer.user}" in inside.raised for inside in control.evidence.inside)


def _hang(control: Control, answer: Answer, requests: tuple[Request, ...]) -> Finding:
    request = requests[answer.request]
    living = [process for process in control.evidence.processes if not process.gone]
    if not living or not all(process.idle for process in living):
        raise Inconclusive(
            f"{request} got no answer in time, one request at a time, and its process was still using CPU time: "
            f"raise load.timeout"
        )
    position = "the first request" if answer.user == 0 else f"request number {answer.user + 1}"
    waits, stacks = waiting_story(control.evidence.stacks)
    return Finding(
        outcome="hang",
        broken_class="hang",
        request=str(request),
        summary=f"{position} to a cold process ({request}) hangs, one request at a time too, and uses no CPU time"
        + (f": {waits}" if waits else ""),
        evidence=(*own_frames([line.text for line in control.evidence.log]), *stacks),
        key="control",
    )


def _failing(control: Control, bad: Sequence[Answer], requests: tuple[Request, ...]) -> Finding:
    answers = [answer for answer in control.answers if answer.request == bad[0].request]
    wrong = [answer for answer in bad if answer.request == bad[0].request]
    errors = _errors_of(bad[0].request, control)
    attributed = bool(errors)
    if not errors:
        errors = errors_in(control.evidence.log)
        attributed = len(errors) == len(bad) == len(wrong)  # otherwise nobody knows whose error is whose
    broken: BrokenClass = "error"
    request = requests[bad[0].request]
    what = _what(bad[0])
    summary = f"{request} fails one request at a time too ({what})"
    if errors:
        first, last = errors[0], errors[-1]
        # A failure that changes what later requests meet has poisoned the process; one that is the same every
        # time is simply an error.
        if attributed and len(wrong) > 1 and wrong[-1] is answers[-1] and _lasting(first) != _lasting(last):
            broken = "poisoned"
            summary = (
                f"the first request to a cold process fails with {first}, and every later one with {last}, "
                f"one request at a time too"
            )
        else:
            summary += f": {first}"
    hints = [hint for word, hint in _HINTS if any(word in error for error in errors[-1:] + errors[:1])]
    return Finding(
        outcome="poisoned" if broken == "poisoned" else "error",
        broken_class=broken,
        request=str(request),
        summary=summary + (f" (hint: {hints[0]})" if hints else ""),
        evidence=own_frames(_first_traceback(control.evidence.log)),
        error=errors[0] if errors else "",
        key="control",
    )


def _what(answer: Answer) -> str:
    if answer.failure in BAD_ANSWERS:
        return f"{BAD_ANSWERS[answer.failure]}: {answer.body}"
    if answer.failure is not None:
        return answer.failure
    if answer.status is not None and answer.status < 500:
        return f"status {answer.status}, and it raised before the end of its answer"
    return f"status {answer.status}"


def _first_traceback(log: Sequence[LogLine]) -> list[str]:
    """The log up to the error that ends its first traceback."""
    lines = [line.text for line in log]
    ends = [number for number, line in enumerate(log, 1) if errors_in([line])]
    return lines[: ends[0]] if ends else lines


def _errors_of(request: int, control: Control) -> list[str]:
    """The errors that the probe saw in this request of the mix, first sent first."""
    users = {f"c{control.number}.{answer.user}" for answer in control.answers if answer.request == request}
    return [mishap.error for inside in control.evidence.inside for mishap in inside.mishaps if mishap.request in users]


def _lasting(error: str) -> str:
    """An error without what differs each time it is raised: addresses, times, counts."""
    return re.sub(r"0x[0-9a-fA-F]+|\d+", "#", error)


def _refusal(answer: Answer, request: Request) -> str:
    cause = {
        400: "is the host name missing from ALLOWED_HOSTS? Send one that it lists (check: --host NAME; "
        "scenario: load.headers.Host)",
        401: "does it need a login? Choose a page that does not (--path), or send credentials (--header)",
        403: "does it need a login or a CSRF token? Choose a page that does not (--path), or send a cookie (--header)",
        404: "does the page exist? Choose one that does (check: --path /…; scenario: load.paths)",
        405: "does it accept this method? Put another one in front of the path",
    }.get(answer.status or 0, "a working page does not answer like this")
    return (
        f"the control, one request at a time, got status {answer.status} for {request}: {cause}; "
        f"if {answer.status} is right, declare it (scenario: status = {answer.status} beside the path)"
    )
