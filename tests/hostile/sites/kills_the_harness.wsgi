#: Tries to kill every ancestor up to the harness, and the harness' other children (Locust among them).
#: verdict = "clean"
#: root = true
import os
import time


def _parent(pid):
    with open("/proc/%d/stat" % pid) as stream:
        return int(stream.read().rpartition(")")[2].split()[1])


def _ancestors():
    pid = os.getpid()
    while True:
        pid = _parent(pid)
        if pid <= 1:
            return
        yield pid
        with open("/proc/%d/cmdline" % pid) as stream:
            command = stream.read()
        if "harness" in command and "check" in command:
            return


def application(environ, start_response):
    time.sleep(0.1)
    victims = []
    try:
        for pid in _ancestors():
            victims.append(pid)
            with open("/proc/%d/task/%d/children" % (pid, pid)) as stream:
                victims += [int(child) for child in stream.read().split() if int(child) != os.getpid()]
    except (OSError, ValueError):
        pass
    for pid in victims[:4]:
        try:
            if os.stat("/proc/%d" % pid).st_uid != os.getuid():
                os.kill(pid, 9)
        except OSError:
            pass
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"fine"]
