"""Whether a trial was cold, and whether its requests met in one process: proven, never assumed."""

from __future__ import annotations

from collections import Counter

from harness.records import Trial


def is_cold(trial: Trial) -> bool:
    """Every process that answered was fresh, and the first answer it gave was its first request.

    Where nothing inside could say (black-box mode, a script that does not import), /proc must show that
    the processes of the slot were started after the last restart and used by no trial before.
    """
    fresh = {watched.process: watched.fresh for watched in trial.evidence.processes}
    firsts: dict[object, int] = {}
    for inside in trial.evidence.inside:
        # A first request that failed outside the site's code was answered by the server, without a count. The
        # recording shows it: it begins with a request of this trial, and has all the requests that were counted.
        requests = sorted((span for span in inside.spans if span.kind == "request"), key=lambda span: span.begin)
        counts = [a.count for a in trial.answers if a.process == inside.process and a.count is not None]
        if counts and len(requests) >= max(counts) and requests[0].name.startswith(f"{trial.number}."):
            firsts[inside.process] = 1
    for answer in trial.answers:
        if answer.process is not None and answer.count is not None:
            firsts[answer.process] = min(answer.count, firsts.get(answer.process, answer.count))
    if firsts:
        return all(first == 1 for first in firsts.values()) and all(
            fresh.get(a.process, True) for a in trial.answers if a.process is not None
        )
    return bool(fresh) and any(fresh.values()) and all(a.failure != "refused" for a in trial.answers)


def is_reloaded(trial: Trial) -> bool:
    """Embedded mode, script touched: was the script imported again in an interpreter that had served?"""
    return not is_cold(trial) and trial.evidence.reloaded


def most_in_one_process(trial: Trial) -> int:
    """The most requests that were in one process between the first send and the first complete answer.

    Counted from the probe's request spans; where there are none, from what the client sent to a slot of one process.
    """
    first_complete = min((a.last_byte for a in trial.answers if a.last_byte is not None), default=float("inf"))
    # A follow-up is sent after the stampede, so its span never begins before the first complete answer.
    requests = [
        sum(span.kind == "request" and span.begin < first_complete for span in inside.spans)
        for inside in trial.evidence.inside
    ]
    if any(requests):
        return max(requests)
    processes = trial.evidence.processes
    if len(processes) == 1 or sum(process.fresh for process in processes) == 1:
        return sum(a.sent is not None and a.sent < first_complete for a in trial.answers)
    proven = Counter(a.process for a in trial.answers if a.process and a.sent and a.sent < first_complete)
    return max(proven.values(), default=0)
