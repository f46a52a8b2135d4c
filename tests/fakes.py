"""A host, a Locust and a snapshot process without a server: what is above the seam runs on them in no time."""

import itertools
import threading

from build import PAGE, make_control, make_inside, make_lost_answer, make_span, make_trial

from harness.errors import InfrastructureError, MissingRuntime
from harness.hosting.backend import Backend
from harness.hosting.host import Host
from harness.hosting.slot import Observer, Slot
from harness.load.exchange import RequestResult, answer_of
from harness.records import LogLine, ProcessId, State


class FakeObserver(Observer):
    """Says of a process what the host's fields say, and which requests it served."""

    def __init__(self, host):
        self.host = host

    def cpu_seconds(self, process):
        return next(self.host.cpu)

    def resident_mib(self, process):
        return 30.0

    def is_recorded(self, process):
        return True

    def inside(self, process, since):
        served = [(name, 2.5 if ".f" in name else 1.1) for name in self.host.served.get(process, ())]
        spans = [
            make_span("request", begin, begin + 0.9, thread=thread, name=name, process=process)
            for thread, (name, begin) in enumerate(served, 1)
        ]
        return make_inside(*spans, process=process)

    def stacks(self, process):
        return self.host.stacks

    def state(self, process):
        return State(process=process, entries=dict(self.host.state))

    def log(self, processes):
        return tuple(LogLine(process.pid, line) for process in processes for line in self.host.lines)

    def is_reload(self, log):
        return any("reload" in line.text for line in log)

    def forget(self, process):
        self.host.forgotten.append(process)


class FakeHost(Host):
    """Its processes are there at once, each of the schedule of its slot."""

    backend = "local"

    def __init__(self, case, count=4, *, alone=True, schedules=()):
        super().__init__(case, {"python": "3.11.7"}, schedules)
        self.restarts_alone = alone
        self._pids = itertools.count(1)
        self.live = {}
        self.gone, self.served, self.forgotten = set(), {}, []
        self.cpu, self.stacks, self.state, self.lines = itertools.repeat(0.0), (), {"umask": "022"}, ()
        self.dead = False
        self.aborted = threading.Event()
        for number in range(count):
            self._slots.append(Slot(f"s{number}", ("127.0.0.1", number), {}, self._next_schedule()))
        self._make_cold(self._slots, {})

    def _start(self):
        pass

    def abort(self):
        self.aborted.set()

    def check_alive(self):
        if self.dead:
            raise InfrastructureError("the server has ended")

    def recent_log(self):
        return ["a line"]

    def _processes(self):
        return {name: [process] for name, (process, _) in self.live.items() if process not in self.gone}

    def _make_cold(self, slots, live):
        for slot in slots:
            self.live[slot.name] = (ProcessId(next(self._pids), 0), slot.schedule)

    def _observer(self, slot):
        return FakeObserver(self)

    def at(self, address):
        """The process that serves at an address."""
        return next(self.live[slot.name][0] for slot in self._slots if slot.address == address)

    def is_idle(self):
        """Was every slot given back?"""
        return all(slot.state != "busy" for slot in self._slots)


class FakeLocust:
    """Answers at once, from the process at the address. `answer(name)` says in which fields the answer to a request
    differs from a right one: `c1.0` is of a control, `1.0` of a stampede, `1.f0` follows one."""

    def __init__(self, host=None, answer=lambda name: {}):
        self.host, self.answer = host, answer
        self.late = 0
        """So many times the next answers are waited for in vain."""
        self.orders = []

    def takes_over(self, monkeypatch):
        """Serves controls and sessions too."""
        monkeypatch.setattr("harness.run.control.exchange", self.exchange)
        monkeypatch.setattr("harness.run.survival.SURVIVAL_SECONDS", 0.0)
        monkeypatch.setattr("harness.run.session.LocustClient", lambda users, log: self)
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def order(self, address, requests, chosen, headers, max_body=None):
        results = [self.exchange(address, requests[index], sent) for index, sent in zip(chosen, headers, strict=True)]
        answers = [answer_of(result, user, chosen[user]) for user, result in enumerate(results)]
        self.orders.append(FakePending(tuple(answers), self.late))
        self.late = 0
        return self.orders[-1]

    def exchange(self, address, request, headers, timeout=None, max_body=None):
        name, process = headers["X-Harness-Request"], self.host.at(address)
        served = self.host.served.setdefault(process, [])
        served.append(name)
        changes = self.answer(name)
        if "failure" in changes:
            return RequestResult(intended=1.0, sent=1.0, **changes)
        proof = {"x-harness-process": f"{process.pid}:{process.start}", "x-harness-count": str(len(served))}
        right = {"status": 200, "headers": {"content-type": "text/html"} | proof, "body": PAGE}
        return RequestResult(**{"intended": 1.0, "sent": 1.0, "first_byte": 1.9, "last_byte": 2.0} | right | changes)


class FakePending:
    """Requests whose answers are known, and how long they were waited for."""

    def __init__(self, answers, late):
        self._answers, self._late = answers, late
        self.waited = 0.0

    def wait(self, seconds):
        self.waited += seconds
        self._late -= 1
        return None if self._late >= 0 or any(answer.failure == "open" for answer in self._answers) else self._answers

    def abandon(self):
        lost = [make_lost_answer(answer.user, request=answer.request) for answer in self._answers]
        return tuple(lost) if self._late >= 0 else self._answers


class FakeBackend(Backend):
    """Makes hosts that the Locust serves; of the runtime `missing` it has none."""

    name = "local"

    def __init__(self, locust, count=4):
        self._locust, self._count = locust, count
        self.hosts = []

    def prepare(self, case):
        pass

    def host(self, case, parallel, slots=None, schedules=()):
        if case.runtime == "missing":
            raise MissingRuntime("it is not on this machine")
        self._locust.host = FakeHost(case, self._count, schedules=schedules)
        self.hosts.append(self._locust.host)
        return self._locust.host


class FakeSnapshot:
    """Stands in for the class `SnapshotProcess`: `trial(number)` and `control(number)` say what children bring home."""

    def __init__(self, trial=lambda number: make_trial(number=number), control=lambda number: make_control()):
        self._trial, self._control = trial, control
        self.started, self.ended, self.led = 0, 0, []

    def __call__(self, case, runtime):
        return self

    def __enter__(self):
        self.started += 1
        return self

    def left(self):
        return ()

    def abort(self):
        pass

    def __exit__(self, *_):
        self.ended += 1

    def control(self, number, begin):
        return self._control(number)

    def trial(self, number, grace, reference, like):
        self.led.append(like)
        return self._trial(number)
