"""The control: a trial's requests one after another, on a cold process. Its answers are the expected ones."""

from __future__ import annotations

import time

from harness.hosting.host import Host
from harness.hosting.slot import ColdSlot
from harness.load.exchange import answer_of, exchange, headers_of
from harness.records import UNENDED, Answer, Control, Schedule


def run_control(host: Host, number: int, schedule: Schedule | None = None) -> Control:
    """Run a control on a cold process of the host. Raises InfrastructureError: the host failed."""
    with host.cold(schedule) as slot:
        return control_on(slot, number)


def control_on(slot: ColdSlot, number: int) -> Control:
    """Send a trial's requests, one after another, in the order of its users; stop at one that has no end."""
    case = slot.case
    begin = time.monotonic()
    slot.watch()
    answers: list[Answer] = []
    # As many as a trial sends: a site may count its requests.
    follow_up = [turn % len(case.requests) for turn in range(case.follow_up)]
    for user, index in enumerate([*case.requests_of_stampede(), *follow_up]):
        request = case.requests[index]
        headers = headers_of(request, {**slot.headers, "X-Harness-Request": f"c{number}.{user}"})
        result = exchange(slot.address, request, headers, case.timeout, case.max_body)
        answers.append(answer_of(result, user, index))
        if answers[-1].failure in UNENDED:
            break
    answered = answers[-1].failure not in UNENDED
    if not answered:
        slot.watch()
        slot.watch_idle()
        slot.read_stacks()
    evidence = slot.collect(begin, answered=answered)
    return Control(number=number, begin=begin, answers=tuple(answers), evidence=evidence)
