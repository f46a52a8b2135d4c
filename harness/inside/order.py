"""The order in which threads pass the points of perturb.py: recorded, so that a trial can be repeated, or enforced.

For the snapshot lane, where all threads of a trial are known. A step is made by a thread that leaves a line or an
initialisation point, after whatever delay it had there; an order is a list of runs, [request, steps]. When an order is
enforced, a thread leaves a point only in its turn, and the turn passes on when the thread reaches its next point: so
the code between two points is run by one thread at a time, unless threads wait for each other in between. What no
point separates is left to the interpreter.

Python 2.7 and 3.x, standard library only.
"""

try:
    from _thread import allocate_lock
except ImportError:
    from thread import allocate_lock


class OrderRecorder(object):
    """Records each step."""

    enforces = False

    def __init__(self):
        self._requests = {}  # thread -> number of its request
        self._steps = []  # appending to a list is atomic

    def begin(self, thread, name):
        number = name.rpartition(".")[2]
        if number.isdigit():  # not a request that follows the stampede
            self._requests[thread] = int(number)

    def end(self, thread):
        self._requests.pop(thread, None)

    def step(self, thread):
        request = self._requests.get(thread)
        if request is not None:
            self._steps.append(request)

    def tick(self):
        pass

    def record(self):
        """What was recorded: the order as runs."""
        runs = []
        for request in list(self._steps):
            if runs and runs[-1][0] == request:
                runs[-1][1] += 1
            else:
                runs.append([request, 1])
        return {"runs": runs, "steps": len(self._steps), "followed": 0}


class OrderEnforcer(OrderRecorder):
    """Lets each thread go on when it is its turn by the order.

    A thread that has made the steps of its run and does not reach its next point waits for something, perhaps for a
    lock that another one holds: after SHORT ticks the turn passes on. A thread that stops in the middle of its run is
    slow, or waits for a lock that another one took between two points, which no order shows: after LONG ticks the
    thread whose turn is next makes a step ahead of its time, and one more with each tick, until the first one moves. A
    tick is a millisecond.
    """

    enforces = True
    SHORT = 3  # ticks: a thread that does not wait reaches its next point well within them
    LONG = 30  # ticks: a slow thread is rarely kept from the processor for longer

    def __init__(self, runs):
        OrderRecorder.__init__(self)
        self._runs = runs
        self._wanted = sum(steps for _, steps in runs)
        self._at = 0  # the run whose turn it is
        self._left = runs[0][1] if runs else 0
        self._last = {request: index for index, (request, _) in enumerate(runs)}
        self._ahead = {}  # request -> steps made ahead of their time
        self._ended = set()
        self._waiting = {}  # request -> the lock that it waits at
        self._mutex = allocate_lock()
        self._followed = self._moved = self._seen = self._idle = 0

    def _is_over(self):
        return self._at >= len(self._runs)

    def _pass_on(self):
        """Pass the turn to the next run whose thread still has steps to make. The mutex is held."""
        self._left = self._idle = 0
        while not self._left and not self._is_over():
            self._at += 1
            if not self._is_over() and self._runs[self._at][0] not in self._ended:
                request, self._left = self._runs[self._at]
                early = min(self._left, self._ahead.get(request, 0))
                self._left -= early
                self._ahead[request] = self._ahead.get(request, 0) - early
        for request in list(self._waiting) if self._is_over() else [self._runs[self._at][0]]:
            self._wake(request)

    def _wake(self, request):
        gate = self._waiting.pop(request, None)
        if gate is not None:
            gate.release()

    def _lend(self):
        """Give a step to the waiting thread whose turn comes next. The mutex is held."""
        for index in range(self._at + 1, len(self._runs)):
            request = self._runs[index][0]
            if request in self._waiting:
                self._ahead[request] = self._ahead.get(request, 0) + 1
                self._wake(request)
                return

    def end(self, thread):
        request = self._requests.pop(thread, None)
        if request is not None:
            with self._mutex:
                self._moved += 1
                self._ended.add(request)
                if not self._is_over() and self._runs[self._at][0] == request:
                    self._pass_on()

    def step(self, thread):
        request = self._requests.get(thread)
        if request is None:
            return
        with self._mutex:
            if not self._is_over() and self._runs[self._at][0] == request and not self._left:
                self._pass_on()
            if self._is_over() or self._last.get(request, -1) < self._at:
                return  # it has no turn left
            if self._runs[self._at][0] == request:
                self._left -= 1
                self._followed += 1
                self._moved += 1
                return
            gate = self._waiting[request] = allocate_lock()
            gate.acquire()
        gate.acquire()
        with self._mutex:
            if not self._is_over() and self._runs[self._at][0] == request and self._left:
                self._left -= 1
                self._followed += 1
                self._moved += 1

    def tick(self):
        """Called once a millisecond by a thread outside the order: passes the turn on when nothing moves."""
        with self._mutex:
            self._idle = 0 if self._moved != self._seen else self._idle + 1
            self._seen = self._moved
            if self._is_over():
                return
            if not self._left and self._idle >= self.SHORT:
                self._pass_on()
            elif self._left and self._idle >= self.LONG:
                self._lend()

    def record(self):
        return {"runs": [], "steps": self._wanted, "followed": self._followed}


def install(runs):
    """A recorder of the order; or its enforcer, where an order is given."""
    return OrderEnforcer(runs) if runs else OrderRecorder()
