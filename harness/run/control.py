"""The control: the same requests one after another, on a cold process. What it gets is right."""

from __future__ import annotations

import time

import requests

from harness.hosting.host import Host, Slot
from harness.load.client import RequestResult as LoadResult
from harness.load.client import answer_of, headers_of
from harness.load.headers import KEPT_HEADERS
from harness.records import (
    Answer,
    Control,
    Request,
    Schedule,
    State,
    ThreadStack,
)
from harness.run.trial import hung, sound, watch_idle


def run_control(host: Host, number: int, schedule: Schedule | None = None) -> Control:
    """One control on a cold process. Raises InfrastructureError as the host does."""
    with host.cold(schedule) as slot:
        return control_on(host, slot, number)


def control_on(host: Host, slot: Slot, number: int) -> Control:
    """A trial's requests, one after another, in the order of its users; stops at one left open."""
    case = host.case
    begin = time.monotonic()
    before = host.watch(slot)
    answers: list[Answer] = []
    # As many as a trial sends: a site may count its requests.
    follow_up = [turn % len(case.requests) for turn in range(case.follow_up)]
    for user, index in enumerate([*case.requests_of_stampede(), *follow_up]):
        answers.append(_ask(slot, case.requests[index], user, index, f"c{number}.{user}", case.timeout))
        if answers[-1].failure == "open":
            break
    processes = host.watch(slot, before)
    stacks: tuple[ThreadStack, ...] = ()
    states: tuple[State, ...] = ()
    if answers[-1].failure == "open":
        processes = watch_idle(host, slot, processes)
        stacks = host.read_stacks(slot, hung(processes))
    else:
        states = host.read_states(slot, sound(processes))
    pids = [each.process for each in processes]
    control = Control(
        number=number,
        begin=begin,
        answers=tuple(answers),
        processes=processes,
        inside=host.read_inside(slot, pids, begin),
        states=states,
        stacks=stacks,
        log=host.take_log(slot, pids),
    )
    host.forget(slot, pids)
    return control


def _ask(slot: Slot, request: Request, user: int, index: int, name: str, timeout: float) -> Answer:
    result = LoadResult(intended=time.monotonic())
    result.sent = result.intended
    address, port = slot.address
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and our own httpd
        session.headers.clear()
        try:
            response = session.request(
                request.method,
                f"http://{address}:{port}{request.path}",
                data=request.body.encode() or None,
                headers=headers_of(request, {**slot.headers, "X-Harness-Request": name}),
                timeout=timeout,
                allow_redirects=False,
            )
        except requests.Timeout:
            result.failure = "open"
        except requests.ConnectionError as error:
            result.failure = "reset"
            result.body = str(error)
        else:
            result.first_byte = result.last_byte = time.monotonic()
            result.status = response.status_code
            result.body = response.content.decode("utf-8", "backslashreplace")
            kept = ((key.lower(), value) for key, value in response.headers.items())
            result.headers = {key: value for key, value in kept if key in KEPT_HEADERS}
    return answer_of(result, user, index)


def slowest(controls: list[Control]) -> float:
    """Seconds that the slowest answer of the controls took."""
    return max((a.seconds for c in controls for a in c.answers if a.seconds is not None), default=0.0)
