"""A host and a Locust without a server: what is above the seam runs on them in no time."""

import itertools

from build import make_answer, make_inside

from harness.errors import InfrastructureError
from harness.hosting.host import Host
from harness.hosting.slot import Observer, Slot
from harness.load.exchange import RequestResult
from harness.records import LogLine, ProcessId, Span, State


class FakeObserver(Observer):
    """Tells what the host was told to tell of its processes; each served the requests that `asked` names."""

    def __init__(self, host):
        self.host = host

    def cpu_seconds(self, process):
        return next(self.host.cpu)

    def resident_mib(self, process):
        return 30.0

    def is_recorded(self, process):
        return True

    def inside(self, process, since):
        spans = [
            Span(process=process, thread=number, kind="request", name=name, begin=begin, end=begin + 1)
            for number, (name, begin) in enumerate(self.host.asked.pop(process, []), 1)
        ]
        return make_inside(*spans, *self.host.work(process), process=process)

    def stacks(self, process):
        return self.host.stacks

    def state(self, process, invariant):
        return State(process=process, entries=dict(self.host.state))

    def log(self, processes):
        return tuple(LogLine(process.pid, line) for process in processes for line in self.host.lines)

    def tells_reload(self, log):
        return any("reload" in line.text for line in log)

    def forget(self, process):
        self.host.forgotten.append(process)


class FakeHost(Host):
    """Its processes are there at once, each of the schedule of its slot; their answers come from `answer`."""

    def __init__(self, case, count=4, *, alone=True, schedules=()):
        super().__init__(case, {"python": "3.11.7"}, schedules)
        self.restarts_alone = alone
        self._pids = itertools.count(1)
        self._ports = itertools.count(1)
        self.live = {}
        self.asked = {}
        self.forgotten = []
        self.lines, self.stacks, self.state = (), (), {"umask": "022"}
        self.work = lambda process: ()
        self.cpu = itertools.repeat(0.0)
        self.dead = self.aborted = False
        for number in range(count):
            self._slots.append(Slot(f"s{number}", ("127.0.0.1", next(self._ports)), {}, self._deal()))
        self._make_cold(self._slots, {})

    def _start(self):
        pass

    def abort(self):
        self.aborted = True

    def check_alive(self):
        if self.dead:
            raise InfrastructureError("the server has ended")

    def recent_log(self):
        return ["a line"]

    def _processes(self):
        return {name: [process] for name, (process, _) in self.live.items()}

    def _make_cold(self, slots, live):
        for slot in slots:
            self.live[slot.name] = (ProcessId(next(self._pids), 0), slot.schedule)

    def _observer(self, slot):
        return FakeObserver(self)

    def at(self, address):
        """The process that serves at an address."""
        return next(self.live[slot.name][0] for slot in self._slots if slot.address == address)


class FakeLocust:
    """Answers as `answer(user, name)` says, from the process at the address; None stays open until it is abandoned."""

    def __init__(self, host, answer=lambda user, name: {}):
        self.host = host
        self.answer = answer

    def order(self, address, requests, chosen, headers):
        process = self.host.at(address)
        served = self.host.asked.setdefault(process, [])
        answers = []
        for user, (index, sent) in enumerate(zip(chosen, headers, strict=True)):
            name = sent["X-Harness-Request"]
            served.append((name, 1.1 if ".f" not in name else 2.5))
            said = self.answer(user, name)
            given = None if said is None else {"process": process, "count": len(served), "request": index} | said
            answers.append((user, index, given))
        return FakePending(answers)


class FakePending:
    """Requests whose answers are known."""

    def __init__(self, answers):
        self._answers = answers

    def wait(self, seconds):
        return None if any(given is None for _, _, given in self._answers) else self.abandon()

    def abandon(self):
        lost = {
            "status": None,
            "failure": "open",
            "first_byte": None,
            "last_byte": None,
            "process": None,
            "count": None,
        }
        return tuple(
            make_answer(user, **(lost | {"request": index} if given is None else given))
            for user, index, given in self._answers
        )


def fake_exchange(host, **changes):
    """What `harness.load.exchange.exchange` would get from the host: the control's requests, one at a time."""

    def exchange(address, request, headers, timeout):
        process = host.at(address)
        served = host.asked.setdefault(process, [])
        served.append((headers["X-Harness-Request"], float(len(served))))
        proof = {"x-harness-process": f"{process.pid}:{process.start}", "x-harness-count": str(len(served))}
        right = make_answer()
        fields = {"status": 200, "body": right.body, "headers": right.headers | proof, "sent": 1.0, "last_byte": 2.0}
        return RequestResult(**{"intended": 1.0, "first_byte": 1.9, **fields, **changes})

    return exchange
