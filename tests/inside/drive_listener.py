"""Plays a server process that goes on living, in the interpreter that runs this: Python 2.7 to the newest.

    drive_listener.py DIRECTORY

DIRECTORY holds the probe and the listener with their boot.wsgi. Reads the name of an action a line, does it and says
"done"; what the process is asked meanwhile comes through the listener's pipe. Ends with its standard input.
"""

# pathlib is not in Python 2, and names lie about where they are defined: that is what is played.
# ruff: noqa: PTH100, PTH118, PTH123, SIM115, RUF012

import json
import locale
import logging
import marshal
import os
import signal
import sys
import threading
import time
import types
import warnings
import weakref

from drive_probe import Driver

HERE = os.path.abspath(sys.argv[1])
FIRST, SECOND = threading.Lock(), threading.Lock()
UPPER, LOWER = threading.RLock(), threading.RLock()
NEVER = threading.Event()
A_WHILE = (1000,) if sys.version_info[0] > 2 else ()  # Python 2 knows no limit: it is to be taken for one
kept = []


def module(name, **contents):
    """A module of that name, as if the site had imported it."""
    made = sys.modules[name] = types.ModuleType(name)
    made.__dict__.update(contents)
    return made


def start(function, *arguments, **keywords):
    """Run it on a thread that does not keep the process alive."""
    thread = threading.Thread(target=function, args=arguments, **keywords)
    thread.daemon = True
    thread.start()


# -- a Django, as far as its state goes -------------------------------------------------------------------


class Settings(object):
    DEBUG = False
    PLACES = {"b": 1, "a": [2, 3]}


class Registry(object):
    apps_ready = models_ready = ready = True
    app_configs = {"books": None}
    all_models = {"books": {"book": None}}


class Signal(object):
    def __init__(self):
        self.receivers = []

    def connect(self, receiver):
        self.receivers.append(((id(receiver), 0), weakref.ref(receiver)))


def receiver():
    pass


request_started = Signal()
module("django.conf", settings=types.ModuleType("settings"))._wrapped = None
sys.modules["django.conf"].settings._wrapped = Settings()
module("django.apps.registry", apps=Registry())
module("django.core.signals", request_started=request_started)

# -- changes of state -------------------------------------------------------------------------------------


class Changes:
    """Each changes one thing."""

    def nothing(self):
        pass

    def umask(self):
        os.umask(0o027)

    def cwd(self):
        os.chdir(HERE)

    def environment(self):
        os.environ["LISTENER_TEST"] = "\xe9"

    def time_zone(self):
        os.environ["TZ"] = "XYZ-3"
        time.tzset()

    def locale(self):
        locale.setlocale(locale.LC_TIME, "C.UTF-8")

    def file(self):
        kept.append(open(os.path.join(HERE, "kept"), "w"))

    def odd_file(self):
        kept.append(open(os.path.join(HERE.encode("ascii"), b"\xe9"), "w"))

    def thread(self):
        start(NEVER.wait, name="worker")

    def path(self):
        sys.path.append("/nowhere")

    def warnings(self):
        warnings.simplefilter("ignore", ImportWarning)

    def signal(self):
        signal.signal(signal.SIGUSR1, lambda *_: None)

    def logging(self):
        logging.getLogger("letters").addHandler(logging.StreamHandler())

    def setting(self):
        Settings.DEBUG = True

    def order(self):
        """A dictionary in another order is the same."""
        Settings.PLACES = {"a": [2, 3], "b": 1}

    def model(self):
        Registry.all_models = {"books": {"book": None, "author": None}}

    def receiver(self):
        request_started.connect(receiver)

    def gone_receiver(self):
        """One that is no longer there, and that the signal has not swept up yet."""

        def gone():
            pass

        request_started.connect(gone)

    def pool(self):
        """A pool starts a worker."""
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        kept.append(ThreadPoolExecutor(4))
        self.wider_pool()

    def wider_pool(self):
        """It starts one more, because the first is still at work: chance, as a rule."""
        started = threading.Event()
        kept[-1].submit(lambda: started.set() or NEVER.wait())
        started.wait(10)

    # -- threads ------------------------------------------------------------------------------------------

    def idle_threads(self):
        """None of these waits for a lock: one reads, one counts, one holds a lock that nobody wants."""
        reading = os.pipe()[0]
        start(read, reading)
        start(count)
        start(hold, reading)

    def plain_locks(self):
        """Two threads, each of which holds what the other wants."""
        meet = Meeting()
        start(first_then_second, meet)
        start(second_then_first, meet)

    def watched_locks(self):
        """The plain locks, watched by the perturbation."""
        global FIRST, SECOND
        perturb = {"__name__": "_harness_perturb"}
        with open(os.path.join(HERE, "perturb.marshal"), "rb") as stream:
            exec(marshal.loads(stream.read()), perturb)
        FIRST, SECOND = (perturb["PointedLock"](each, lambda: None) for each in (FIRST, SECOND))
        self.plain_locks()

    def owned_locks(self):
        """The same with locks that know who holds them."""
        meet = Meeting()
        start(upper_then_lower, meet)
        start(lower_then_upper, meet)

    def owned_locks_for_a_while(self):
        """The same, but one of them will give up."""
        meet = Meeting()
        start(upper_then_lower, meet)
        start(lower_then_upper_for_a_while, meet)

    def bystander(self):
        """One waits for a lock that another holds, who waits for none."""
        held = threading.Event()
        start(hold_upper, held)
        held.wait(10)
        self.bystander_of_them()

    def bystander_of_them(self):
        start(take_upper)

    def imports(self):
        """Two threads import a module that never ends."""
        with open(os.path.join(HERE, "endless.py"), "w") as source:
            source.write("import os, endless_pipe\nos.read(endless_pipe.end, 1)\n")
        module("endless_pipe", end=os.pipe()[0])
        sys.path.insert(0, HERE)
        start(import_endless)
        start(import_endless)


class Meeting:
    """Two threads go on when both have come."""

    def __init__(self):
        self._arrived = [threading.Event(), threading.Event()]

    def wait(self, which):
        self._arrived[which].set()
        self._arrived[1 - which].wait(10)


def read(descriptor):
    os.read(descriptor, 1)


def count():
    while True:
        pass


def hold(descriptor):
    lock = threading.Lock()
    with lock:
        os.read(descriptor, 1)


def first_then_second(meet):
    with FIRST:
        meet.wait(0)
        with SECOND:
            pass


def second_then_first(meet):
    with SECOND:
        meet.wait(1)
        with FIRST:
            pass


def upper_then_lower(meet):
    with UPPER:
        meet.wait(0)
        with LOWER:
            pass


def lower_then_upper(meet):
    with LOWER:
        meet.wait(1)
        with UPPER:
            pass


def lower_then_upper_for_a_while(meet):
    with LOWER:
        meet.wait(1)
        UPPER.acquire(True, *A_WHILE)


def hold_upper(held):
    with UPPER:
        held.set()
        NEVER.wait()


def take_upper():
    with UPPER:
        pass


def import_endless():
    import endless  # noqa: F401, PLC0415


# -- what a site's invariant may return -------------------------------------------------------------------


class Loud(Exception):
    def __str__(self):
        raise KeyError


def fail(error):
    raise error


module(
    "site_counter",
    number=lambda: 3,
    table=lambda: {"clients": 1, "caf\xe9": 2},
    text=lambda: "three",
    raises=lambda: fail(ValueError("caf\xe9")),
    loud=lambda: fail(Loud()),
    exits=lambda: sys.exit(1),
    long_text=lambda: "x" * 100000,
    long_number=lambda: 10**5000,
    long_table=lambda: dict.fromkeys(range(1000), 1),
    thing=threading.Lock,
    table_of_things=lambda: {"clients": 1, "lock": threading.Lock()},
    value=3,
)


if __name__ == "__main__":
    changes, driver = Changes(), Driver(HERE)
    before = driver.state()
    boot = driver.load("boot.wsgi")
    after = driver.state()
    print(json.dumps({"before": before, "after": after, "recording": boot._recording}))
    sys.stdout.flush()
    for line in iter(sys.stdin.readline, ""):
        getattr(changes, line.strip())()
        print("done")
        sys.stdout.flush()
