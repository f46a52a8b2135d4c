"""Whether a trial or a control proves anything: not where the server ended, or where it, the load generator or the
machine ran out of something."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterable

from harness.records import Answer, Control, LogLine, Trial
from harness.runtimes.limits import shortage, shortage_in

# The server's own lines begin with the error's number and a code of theirs; a site's line says `OSError: [Errno 24]`.
_SERVER_LINE = re.compile(r"^\((\d+)\)[^:]{1,80}: (?:AH|WSGI)\d{4,5}: (.*)")
# EAGAIN says that a process or thread cannot be made, but also that a socket has nothing to read right now.
_MAKING = re.compile(r"thread|fork|spawn", re.IGNORECASE)
# As harness/inside/boot.wsgi writes it. Without a recording nothing says what a process did.
_PROBE_LINE = re.compile(r"^harness probe: not installed: \w+\((\d+),")
_THREADS_LINE = re.compile(r"^harness probe: not installed: .*can't start new thread")


def void_reason(record: Control | Trial) -> str:
    """Why this record proves nothing about the site, as a sentence; "" where it may be judged."""
    answers = (*record.answers, *(record.follow_up if isinstance(record, Trial) else ()))
    reasons = (*record.evidence.short, *_in_answers(answers), *_in_log(record.evidence.log))
    return next(iter(reasons), "")


def _in_answers(answers: Iterable[Answer]) -> Iterable[str]:
    """Of a request without an answer the body is what its client has to say about it."""
    for answer in answers:
        # Not of one that is malformed: there the body quotes the site.
        if answer.status is None and answer.failure in ("refused", "reset") and (why := shortage_in(answer.body)):
            yield f"the load generator met a limit: {why}"


def _in_log(log: Iterable[LogLine]) -> Iterable[str]:
    for line in log:
        if match := _SERVER_LINE.match(line.text):
            number, message = int(match[1]), match[2]
            if (number != errno.EAGAIN or _MAKING.search(message)) and (why := shortage(number)):
                yield f"the server met a limit: {why}"
        elif match := _PROBE_LINE.match(line.text):
            if why := shortage(int(match[1])):
                yield f"the probe met a limit: {why}"
        elif _THREADS_LINE.match(line.text):
            yield f"the probe met a limit: {shortage(errno.EAGAIN)}"
