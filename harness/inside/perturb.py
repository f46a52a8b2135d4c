"""Disturbs the scheduling of threads inside the server process, by a seed, so that rare interleavings are met sooner.

A process is given one strategy, drawn by its seed. Each has a budget of seconds for each request, and for the process,
instead of a fixed sleep: it delays until the budget is spent, and lets the request go on undisturbed then. Only threads
that are in a request are delayed; the script is imported under mod_wsgi's lock, where nothing can race.

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
    PROCESS_SECONDS = 2.0  # ... and in all of them: requests that wait for one that is delayed add their delays to its
    LONGEST_SECONDS = 0.02  # of one delay
    lines = False

    def __init__(self, seed):
        self.random = Random(seed)
        self.left = {}  # thread -> seconds
        self.unspent = self.PROCESS_SECONDS
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
        left = min(self.left.get(thread, 0.0), self.unspent)
        if left > 0.0:
            seconds = min(seconds, left)
            self.left[thread] -= seconds
            self.unspent -= seconds
            self.delays += 1
            time.sleep(seconds)


class Switching(Strategy):
    """The shortest switch interval: the interpreter lock changes hands after every few instructions.

    With a window of w instructions among n of a request, and a switch after every s of them, a thread is preempted in
    the window with p about w / s, where the 5 ms of the default interval give about w / 100,000.
    """

    SWITCH_SECONDS = 1e-6


class AtInitialisation(Strategy):
    """Delays at initialisation points: where modules are executed, where Django's lazy objects are built and written
    to, and where the locks that guard them are taken and given back.

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


class PointedLock(object):
    """A lock that says when it is about to be taken, and when it has been given back."""

    def __init__(self, lock, point):
        self._harness_lock = lock
        self._point = point

    def acquire(self, *args, **kwargs):
        self._point()
        return self._harness_lock.acquire(*args, **kwargs)

    def release(self):
        self._harness_lock.release()
        self._point()

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()

    def __getattr__(self, name):
        return getattr(self._harness_lock, name)


def _lock(owner, name):
    """Watch a lock that a module has, or an object there, where this Django or Python has it."""

    def watch(module, point):
        holder = getattr(module, owner) if owner else module
        setattr(holder, name, PointedLock(getattr(holder, name), point))

    return watch


def _lazy_objects(module, point):
    """Every write to a lazy object, `settings` among them. What a subclass did before it calls this is done; its value
    is not there yet: the very moment at which others must not look."""
    plain = module.LazyObject.__dict__["__setattr__"]

    def __setattr__(self, name, value):
        point()
        plain(self, name, value)
        point()

    module.LazyObject.__setattr__ = __setattr__


# Module -> what to watch in it once it has been executed, by its own import or before.
WATCHED = {
    "logging": _lock(None, "_lock"),
    "django.utils.functional": _lazy_objects,
    "django.apps.registry": _lock("apps", "_lock"),
    "django.db.models.loading": _lock("cache", "write_lock"),  # up to Django 1.6
    "django.core.handlers.wsgi": _lock("WSGIHandler", "initLock"),  # up to Django 1.10
}


def chosen(path, packages):
    """Is this the path of a file whose lines are to be disturbed?"""
    return any(package in path for package in packages)


class Perturbation(object):
    """One strategy in this process, and what it is told of."""

    def __init__(self, name, seed, strategy, packages, schedule=None, lines=False):
        self.name = name
        self.seed = seed
        self.strategy = strategy
        self.schedule = schedule  # what order.py made, where the order of threads is kept or enforced
        self._lines = strategy.lines or lines
        self._packages = packages
        self._known = {}  # file name -> chosen?
        self._unwatched = dict(WATCHED)

    def _wanted(self, code):
        name = code.co_filename
        wanted = self._known.get(name)
        if wanted is None:
            wanted = self._known[name] = chosen(name, self._packages)
        return wanted

    def request_begins(self, name=""):
        thread = get_ident()
        self.strategy.begin(thread)
        if self.schedule is not None:
            self.schedule.begin(thread, name)
        if self._lines and MONITORING is None:
            sys.settrace(self._trace_call)

    def request_ends(self):
        """Returns what is recorded of it: strategy, seed, and of the process so far how many delays there were, and
        whether lines of the chosen packages were run, where lines matter (else -1)."""
        if self._lines and MONITORING is None:
            sys.settrace(None)
        thread = get_ident()
        self.strategy.end(thread)
        if self.schedule is not None:
            self.schedule.end(thread)
        chosen_files = sum(self._known.values()) if self.strategy.lines else -1
        return ',"%s",%d,%d,%d' % (self.name, self.seed, self.strategy.delays, chosen_files)

    def point(self):
        thread = get_ident()
        self.strategy.point(thread)
        if self.schedule is not None:
            self.schedule.step(thread)

    def executed(self):
        """Some modules have been executed: watch what is to be watched in them."""
        for name in list(self._unwatched):
            module = sys.modules.get(name)
            if module is not None:
                try:
                    self._unwatched[name](module, self.point)
                except Exception:  # half executed, or a Django without it: asked again with the next module
                    continue
                self._unwatched.pop(name, None)

    def _line(self, code, number):
        thread = get_ident()
        if thread in self.strategy.left:
            self.strategy.line(thread, code, number)
            if self.schedule is not None:
                self.schedule.step(thread)

    def _trace_call(self, frame, event, _):
        return self._trace_line if self._wanted(frame.f_code) else None

    def _trace_line(self, frame, event, _):
        if event == "line":
            self._line(frame.f_code, frame.f_lineno)
        return self._trace_line

    def _monitor_line(self, code, number):
        if not self._wanted(code):
            return MONITORING.DISABLE
        self._line(code, number)
        return None

    def start(self):
        self.executed()
        strategy = self.strategy
        if strategy.SWITCH_SECONDS is not None:
            if PY2:
                sys.setcheckinterval(1)
            else:
                sys.setswitchinterval(strategy.SWITCH_SECONDS)
        if self._lines and MONITORING is not None:
            MONITORING.use_tool_id(TOOL, "restart-harness")
            MONITORING.register_callback(TOOL, MONITORING.events.LINE, self._monitor_line)
            MONITORING.set_events(TOOL, MONITORING.events.LINE)


def install(plan, process, schedule=None):
    """Start what the plan says; returns the perturbation. The seed of a process is its own, unless it is to be
    repeated: the plan's, and the process's identity. With a `schedule` (see order.py) the order of threads is kept, or
    enforced: then nothing delays but the schedule. The plan's `fine` makes every line a point of that order, whatever
    the strategy."""
    seed = plan["seed"]
    if not plan["exact"]:
        for char in process:
            seed = (seed * 31 + ord(char)) & 0xFFFFFFFF
    draw = Random(seed)
    can_trace = CAN_TRACE or schedule is not None  # where the order is kept, the main thread runs Python
    usable = [each for each in plan["strategies"] if can_trace or not STRATEGIES[each].lines] or ["none"]
    name = usable[draw.below(len(usable))]
    strategy = STRATEGIES[name](draw.bits())
    lines = strategy.lines or bool(plan.get("fine"))
    if schedule is not None and schedule.enforces:
        strategy = Strategy(0)
    perturbation = Perturbation(name, seed, strategy, plan["packages"], schedule, lines)
    perturbation.start()
    return perturbation
