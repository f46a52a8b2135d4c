"""Threads that pass points, in any Python: drive_order.py DIRECTORY-OF-INSIDE PLAY. Prints JSON of what they did."""

import json
import sys
import threading
import time

sys.path.insert(0, sys.argv[1])
import order
import perturb


def run(schedule, threads):
    """Each thread is a list of things to do: "step", or a function. What was done, in order."""
    done = []
    start = threading.Event()

    def work(number, things):
        schedule.begin(number, "7.%d" % number)
        start.wait()
        for thing in things:
            if thing == "step":
                schedule.step(number)
                done.append(number)
            else:
                thing()
        schedule.end(number)

    workers = [threading.Thread(target=work, args=each) for each in enumerate(threads)]
    for each in workers:
        each.daemon = True
        each.start()
    start.set()
    deadline = time.time() + 20
    while any(each.is_alive() for each in workers) and time.time() < deadline:
        schedule.tick()
        time.sleep(0.001)
    return {"done": done, "told": schedule.record(), "alive": sum(each.is_alive() for each in workers)}


def enforced():
    return run(order.install([[1, 2], [0, 3], [2, 1], [1, 1]]), [["step"] * 3, ["step"] * 3, ["step"]])


def kept():
    schedule = order.install([])
    for thread, name in ((5, "7.0"), (6, "7.1"), (7, "7.f0")):
        schedule.begin(thread, name)
    for thread in (5, 5, 6, 7, 5):
        schedule.step(thread)
    return {"told": schedule.record()}


def hidden_lock():
    """Thread 1 takes a lock between two of its points, and thread 0 wants it in the middle of its own run."""
    lock, taken = threading.Lock(), threading.Event()

    def take():
        lock.acquire()
        taken.set()

    def want():
        taken.wait()
        lock.acquire()
        lock.release()

    return run(
        order.install([[1, 1], [0, 3], [1, 2]]),
        [["step", want, "step", "step"], ["step", take, "step", lock.release, "step"]],
    )


def fewer_steps():
    """Thread 0 ends before its runs do."""
    return run(order.install([[0, 2], [1, 1], [0, 5], [1, 1]]), [["step"], ["step", "step"]])


def watched():
    """What is seen between a lazy object's being cleared and its being set, and of a lock."""

    class LazyObject(object):
        _wrapped = None

        def __setattr__(self, name, value):
            self.__dict__[name] = value

    class Settings(LazyObject):
        def __setattr__(self, name, value):
            self.__dict__.clear()
            super(Settings, self).__setattr__(name, value)

    module = type(sys)("functional")
    module.LazyObject = LazyObject
    settings, seen = Settings(), []
    settings._wrapped = "before"
    perturb.WATCHED["django.utils.functional"](module, lambda: seen.append(settings._wrapped))
    settings._wrapped = "after"
    registry = type(sys)("registry")
    registry.apps = Settings()
    registry.apps.__dict__["_lock"] = plain = threading.RLock()
    LazyObject.__setattr__ = object.__setattr__
    points = []
    perturb.WATCHED["django.apps.registry"](registry, lambda: points.append("point"))
    with registry.apps._lock:
        points.append("inside")
        free = not plain.acquire(False)
        if not free:
            plain.release()
    return {"seen": seen, "points": points, "same": registry.apps._lock._harness_lock is plain}


print(json.dumps(globals()[sys.argv[2]]()))
