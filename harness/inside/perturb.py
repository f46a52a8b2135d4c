"""Disturbs the scheduling of threads inside the server process, by a seed, so that rare interleavings are met sooner.

A process is given one strategy, drawn by its seed. Each has a budget of seconds for each request instead of a fixed
sleep: it delays until the budget is spent, and lets the request go on undisturbed then. Only threads that are in a
request are delayed; the script is imported under mod_wsgi's lock, where nothing can race.

Why this finds anything: a race needs thread B between two steps of thread A. Left alone, A takes microseconds from the
one to the other. A delay of d there is met by B with a probability near 1 if B is under way within d; so what counts is
the probability p that a delay hits just that place. See each strategy.

Python 2.7 and 3.x, standard library only. Never raises into the site.
"""

import sys
import time

try:
    from _thread import get_ident
except ImportError:
    from thread import get_ident

PY2 = sys.version_info[0] == 2
MONITORING = getattr(sys, "monitoring", None)
# An embedded Python 3.11 that is told to trace while something is pending for the main thread, which never runs Python
# under Apache, does not come back from the first call (seen on 3.11.2 and 3.11.7): there lines are left alone.
CAN_TRACE = MONITORING is not None or sys.version_info[:2] != (3, 11)
TOOL = 4  # of sys.monitoring: neither debugger, coverage, profiler nor optimizer


class Random(object):
    """Marsaglia's xorshift32: the same numbers on every Python. The random module would import a dozen others here,
    whose first import a site may be about to race for."""

    def __init__(self, seed):
        self._state = (seed ^ 0x9E3779B9) & 0xFFFFFFFF or 1
        for _ in range(8):
            self.bits()

    def bits(self):
        state = self._state
        state ^= state << 13 & 0xFFFFFFFF
        state ^= state >> 17
        state ^= state << 5 & 0xFFFFFFFF
        self._state = state
        return state

    def random(self):
        return self.bits() / 4294967296.0

    def below(self, limit):
        return self.bits() % limit


class Strategy(object):
    """Base: what is done when a request begins, when it runs a line, and when it begins or ends an initialisation."""

    SWITCH_SECONDS = None  # how long a thread keeps the interpreter lock while another wants it
    BUDGET_SECONDS = 0.4  # of delays in one request
    LONGEST_SECONDS = 0.02  # of one delay
    lines = False

    def __init__(self, seed):
        self.random = Random(seed)
        self.left = {}  # thread -> seconds
        self.delays = 0

    def begin(self, thread):
        self.left[thread] = self.BUDGET_SECONDS

    def end(self, thread):
        self.left.pop(thread, None)

    def line(self, thread, code, number):
        pass

    def point(self, thread):
        pass

    def delay(self, thread, seconds):
        left = self.left.get(thread, 0.0)
        if left > 0.0:
            seconds = min(seconds, left)
            self.left[thread] = left - seconds
            self.delays += 1
            time.sleep(seconds)


class Switching(Strategy):
    """The shortest switch interval: the interpreter lock changes hands after every few instructions.

    With a window of w instructions among n of a request, and a switch after every s of them, a thread is preempted in
    the window with p about w / s, where the 5 ms of the default interval give about w / 100,000.
    """

    SWITCH_SECONDS = 1e-6


class AtInitialisation(Strategy):
    """Delays where modules are executed and where Django's lazy objects are built.

    There are some 100 such points in a first request, and the races of lazy initialisation are at a few of them; with
    a delay at every third, p is 1/3 for each, and the budget lasts for all of them.
    """

    CHANCE = 1.0 / 3

    def point(self, thread):
        if self.random.random() < self.CHANCE:
            self.delay(thread, self.random.random() * self.LONGEST_SECONDS)


class AtLines(Strategy):
    """Delays on lines of Django and of the site, each line the less the more often it has been run in this process.

    A line that initialises is run once or a few times, a loop's line thousands of times: with a chance of CHANCE / (1 +
    times run) a delay hits the one line that matters with p = CHANCE in a process, however much else it runs.
    """

    CHANCE = 0.3
    LONGEST_SECONDS = 0.005
    lines = True

    def __init__(self, seed):
        Strategy.__init__(self, seed)
        self.runs = {}

    def line(self, thread, code, number):
        key = (code, number)
        runs = self.runs[key] = self.runs.get(key, 0) + 1
        if self.random.random() < self.CHANCE / runs:
            self.delay(thread, self.random.random() * self.LONGEST_SECONDS)


class Priorities(Strategy):
    """Threads of random priority, some of which change places at random moments (after PCT, Burckhardt et al. 2010).

    PCT finds a race of depth d among n threads and k steps with p >= 1 / (n * k^(d-1)) when only the thread of the
    highest priority runs. Priorities are imitated here by delays: at a line, a thread waits the longer the lower its
    priority is, and at CHANGES lines, drawn beforehand, it falls to the lowest. Steps are counted by new lines, some
    thousands in a first request, so that k is that and not the millions of instructions.
    """

    CHANGES = 3
    STEPS = 3000
    STEP_SECONDS = 0.0005
    CHANCE = 0.1
    lines = True

    def __init__(self, seed):
        Strategy.__init__(self, seed)
        self.priority = {}
        self.seen = set()
        self.changes = {self.random.below(self.STEPS) for _ in range(self.CHANGES)}

    def begin(self, thread):
        Strategy.begin(self, thread)
        self.priority[thread] = self.random.below(16)

    def line(self, thread, code, number):
        if (code, number) in self.seen:
            return
        self.seen.add((code, number))
        if len(self.seen) in self.changes:
            self.priority[thread] = 30
            self.delay(thread, self.LONGEST_SECONDS)
        elif self.random.random() < self.CHANCE:
            self.delay(thread, self.priority.get(thread, 0) * self.STEP_SECONDS)


STRATEGIES = {
    "switching": Switching,
    "at-initialisation": AtInitialisation,
    "at-lines": AtLines,
    "priorities": Priorities,
    "none": Strategy,  # where this Python can do none of those that are wanted
}


def chosen(path, packages):
    """Is this the path of a file whose lines are to be disturbed?"""
    return any(package in path for package in packages)


class Perturbation(object):
    """One strategy in this process, and what it is told of."""

    def __init__(self, name, seed, strategy, packages):
        self.name = name
        self.seed = seed
        self.strategy = strategy
        self._packages = packages
        self._known = {}  # file name -> chosen?

    def _wanted(self, code):
        name = code.co_filename
        wanted = self._known.get(name)
        if wanted is None:
            wanted = self._known[name] = chosen(name, self._packages)
        return wanted

    def request_begins(self):
        thread = get_ident()
        self.strategy.begin(thread)
        if self.strategy.lines and MONITORING is None:
            sys.settrace(self._trace_call)

    def request_ends(self):
        """Returns what is recorded of it: strategy, seed, and how many delays there were in the process so far."""
        if self.strategy.lines and MONITORING is None:
            sys.settrace(None)
        self.strategy.end(get_ident())
        return ',"%s",%d,%d' % (self.name, self.seed, self.strategy.delays)

    def point(self):
        self.strategy.point(get_ident())

    def _trace_call(self, frame, event, _):
        return self._trace_line if self._wanted(frame.f_code) else None

    def _trace_line(self, frame, event, _):
        if event == "line":
            self.strategy.line(get_ident(), frame.f_code, frame.f_lineno)
        return self._trace_line

    def _monitor_line(self, code, number):
        if not self._wanted(code):
            return MONITORING.DISABLE
        thread = get_ident()
        if thread in self.strategy.left:
            self.strategy.line(thread, code, number)
        return None

    def start(self):
        strategy = self.strategy
        if strategy.SWITCH_SECONDS is not None:
            if PY2:
                sys.setcheckinterval(1)
            else:
                sys.setswitchinterval(strategy.SWITCH_SECONDS)
        if strategy.lines and MONITORING is not None:
            MONITORING.use_tool_id(TOOL, "restart-harness")
            MONITORING.register_callback(TOOL, MONITORING.events.LINE, self._monitor_line)
            MONITORING.set_events(TOOL, MONITORING.events.LINE)


def install(plan, process):
    """Start what the plan says; returns the perturbation. The seed of a process is its own, unless it is to be
    repeated: the plan's, and the process's identity."""
    seed = plan["seed"]
    if not plan["exact"]:
        for char in process:
            seed = (seed * 31 + ord(char)) & 0xFFFFFFFF
    draw = Random(seed)
    usable = [each for each in plan["strategies"] if CAN_TRACE or not STRATEGIES[each].lines] or ["none"]
    name = usable[draw.below(len(usable))]
    perturbation = Perturbation(name, seed, STRATEGIES[name](draw.bits()), plan["packages"])
    perturbation.start()
    return perturbation
