"""The snapshot lane: runs a WSGI script once, as mod_wsgi would, and forks a process for each trial.

    snapshot.py DIRECTORY SCRIPT

DIRECTORY holds the probe and its companions, compiled, and the recordings. A line of JSON on standard input is a
trial; a line of JSON on standard output is what came of it. The process that forks has one thread and holds nothing
that children could share: it refuses to fork otherwise. In the child each request is a thread; all of them wait in
the kernel for one moment, some trials then at the import of a slow module, and answer as threads of a server would.
A child that neither ends nor tells in time is killed.

Python 2.7 and 3.x, standard library only.
"""

import gc
import io
import json
import marshal
import os
import re
import select
import signal
import sys
import time
import types

try:
    import resource
except ImportError:  # an interpreter that was built without
    resource = None

try:
    from _thread import allocate_lock, start_new_thread
except ImportError:
    from thread import allocate_lock, start_new_thread

PY2 = sys.version_info[0] == 2
character = unichr if PY2 else chr  # noqa: F821
text = unicode if PY2 else str  # noqa: F821
IDLE_SECONDS = 1.0
IDLE_CPU_SECONDS = 0.02  # within them
LOOK_SECONDS = 0.25  # until it is looked for the first time whether threads wait for each other for good
LOOK_WATCH_SECONDS = 0.1  # ... if it stands still for so long
TICK_SECONDS = 0.001
MARK = 10  # the limit of locks, which Linux does not heed
now = getattr(time, "monotonic", time.time)


def load(directory, name):
    """One of our programs. `sys` is brought along: see stacks.py."""
    with open(os.path.join(directory, name + ".marshal"), "rb") as stream:
        namespace = {"__name__": "_harness_" + name, "__file__": os.path.join(directory, name + ".py"), "sys": sys}
        exec(marshal.loads(stream.read()), namespace)
    return namespace


def import_script(path):
    """Execute a script as mod_wsgi does: in a module whose name no import statement can hit."""
    checksum = 0
    for char in path:
        checksum = (checksum * 31 + ord(char)) & 0xFFFFFFFF
    module = types.ModuleType("_mod_wsgi_%08x" % checksum)
    module.__file__ = path
    sys.modules[module.__name__] = module
    with open(path, "rb") as source:
        exec(compile(source.read(), path, "exec", 0, True), module.__dict__)
    return module


def shared():
    """What children would share with each other: threads, sockets and files beyond the standard streams."""
    found = []
    if len(os.listdir("/proc/self/task")) > 1:
        found.append("a thread")
    for each in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink("/proc/self/fd/" + each)
        except OSError:
            continue
        if int(each) > 2 and (target.startswith("socket:") or os.path.isfile(target)) and "/events/" not in target:
            found.append(target)
    return found


def cpu_seconds(pid):
    """CPU time of a process of this user, in seconds."""
    with open("/proc/%s/stat" % pid) as stream:
        fields = stream.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def stands_still(pid, wait=lambda: time.sleep(IDLE_SECONDS)):
    before = cpu_seconds(pid)
    wait()
    return cpu_seconds(pid) - before <= IDLE_CPU_SECONDS


class LineUp(object):
    """A module whose import takes until the last thread has come to it. They all wait there, and leave within
    microseconds: what wakes them is one thread of this process, and not the kernel one after another."""

    NAME = "_harness_line_up"
    LAST_SECONDS = 0.001  # from saying that it comes to waiting for the import
    MOST_SECONDS = 0.1  # that are waited for the last one

    def __init__(self, threads):
        self._threads = threads
        self._coming = []

    def enter(self):
        self._coming.append(True)
        __import__(self.NAME)

    def _wait(self):
        deadline = now() + self.MOST_SECONDS
        while len(self._coming) < self._threads and now() < deadline:
            time.sleep(self.LAST_SECONDS)
        time.sleep(self.LAST_SECONDS)

    def find_spec(self, name, path=None, target=None):
        return sys.modules["_frozen_importlib"].ModuleSpec(name, self) if name == self.NAME else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        self._wait()

    if PY2:  # what has find_spec is not asked for find_module, but warned of

        def find_module(self, name, path=None):
            return self if name == self.NAME else None

        def load_module(self, name):
            module = sys.modules.setdefault(name, types.ModuleType(name))
            self._wait()
            return module


HEADER = re.compile(r"[A-Za-z0-9-]+$")  # others are dropped by httpd
DROPPED = ("PROXY", "AUTHORIZATION", "PROXY-AUTHORIZATION")  # ... and these
ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})|%")
UNRESERVED = re.compile(r"[A-Za-z0-9._~-]")


class RequestRefusal(Exception):
    """httpd answers with this status itself."""


def path_info(path):
    """What mod_wsgi makes of a path: decoded, without dots and double slashes. Raises RequestRefusal."""

    def unreserved(escape):
        char = character(int(escape.group(1), 16)) if escape.group(1) else "%"
        return char if UNRESERVED.match(char) else escape.group(0)

    def decoded(escape):
        if escape.group(1) is None:
            raise RequestRefusal(400)
        if escape.group(1) in ("2f", "2F", "00"):
            raise RequestRefusal(404)
        return character(int(escape.group(1), 16))

    segments = []
    parts = ESCAPE.sub(unreserved, path).split("/")[1:]
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "..":
            if not segments:
                raise RequestRefusal(400)
            segments.pop()
        elif part and part != ".":
            segments.append(part)
        if last and part in ("", ".", ".."):
            segments.append("")
    return ESCAPE.sub(decoded, "/" + "/".join(segments))


class RequestThread(object):
    """One request, and what became of it."""

    def __init__(self, order, max_body, grace):
        self.order = order
        self._max_body = max_body
        self._grace = grace
        self.answer = {
            "sent": None, "first_byte": None, "last_byte": None, "status": None, "failure": None, "fields": [],
            "body": "",
        }  # fmt: skip

    def environ(self):
        """What mod_wsgi makes of the request. Raises RequestRefusal."""
        path, _, query = self.order["path"].partition("?")
        body = self.order["body"].encode("utf-8")
        environ = {
            "REQUEST_METHOD": self.order["method"], "SCRIPT_NAME": "", "PATH_INFO": path_info(path),
            "QUERY_STRING": query, "REQUEST_URI": self.order["path"], "SERVER_NAME": "localhost", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1", "REQUEST_SCHEME": "http", "REMOTE_ADDR": "127.0.0.1", "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http", "wsgi.input": io.BytesIO(body), "wsgi.errors": sys.stderr,
            "wsgi.multithread": True, "wsgi.multiprocess": False, "wsgi.run_once": False,
            "mod_wsgi.process_group": "snapshot", "mod_wsgi.application_group": "",
        }  # fmt: skip
        for name, value in self.order["fields"]:
            if HEADER.match(name) and name.upper() not in DROPPED:
                key = name.upper().replace("-", "_")
                environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key] = value.strip()
        if PY2:
            for key, value in environ.items():
                if isinstance(value, text):
                    environ[key] = value.encode("latin-1")
        return environ

    def run(self, application, probe):
        answer = self.answer
        answer["sent"] = now()
        try:
            environ = self.environ()
        except RequestRefusal as refused:
            answer["first_byte"] = answer["last_byte"] = now()
            answer["status"] = refused.args[0]
            return
        given = probe.on_event("request_started", request_environ=environ, application_object=application) or {}
        body = []
        try:
            self._receive(given.get("application_object", application), environ, body)
        except BaseException:  # SystemExit too is answered by mod_wsgi
            probe.on_event("request_exception", exception_info=sys.exc_info())
            if not body:  # otherwise the client has got the status already
                answer["status"], answer["fields"] = 500, []
        if answer["failure"] is None:
            answer["last_byte"] = now()
            bodyless = environ["REQUEST_METHOD"] == "HEAD" or answer["status"] in (204, 304)
            answer["body"] = "" if bodyless else b"".join(body).decode("latin-1")
        probe.on_event("request_finished")

    def _receive(self, application, environ, body):
        """Gather the pieces of the body, up to the limits."""
        answer = self.answer
        size = [0]

        def add(piece):
            answer["first_byte"] = answer["first_byte"] or now()
            if piece:
                body.append(piece)
                size[0] += len(piece)

        def start_response(status, headers, exc_info=None):
            answer["fields"] = [[as_text(name), as_text(value)] for name, value in headers]
            answer["status"] = int(status.split(" ")[0])
            return add

        result = application(environ, start_response)
        try:
            for piece in result:
                add(piece)
                if size[0] > self._max_body:
                    answer["failure"] = "cut"
                    answer["body"] = "it has more than %d bytes (scenario: load.max_body)" % self._max_body
                    break
                if now() - answer["sent"] > self._grace:
                    answer["failure"] = "cut"
                    answer["body"] = "it had not ended after %.1f s, and was still coming" % self._grace
                    break
        finally:
            if hasattr(result, "close"):
                result.close()


def as_text(value):
    """A header's name or value. Raises TypeError: it is none, as under mod_wsgi."""
    if PY2 and isinstance(value, bytes):
        return value.decode("latin-1")
    if not isinstance(value, text):
        raise TypeError("expected a native string, got %s" % type(value).__name__)
    return value


class Child(object):
    """One trial, in a process of its own."""

    def __init__(self, directory, tell_stacks, application, probe, order):
        self._directory = directory
        self._tell_stacks = tell_stacks
        self._application = application
        self._probe = probe
        self._order = order
        self._schedule = None

    def _stampede(self, requests):
        """All at once; returns when all are done, when some wait for each other for good (then the stacks that prove
        it), or the grace is over."""
        left, lock, gate, done = [len(requests)], allocate_lock(), os.pipe(), os.pipe()
        line_up = LineUp(len(requests)) if self._order["line_up"] else None
        if line_up:
            sys.meta_path.insert(0, line_up)

        def serve(request):
            os.read(gate[0], 1)  # in the kernel, without the interpreter lock
            try:
                if line_up:
                    line_up.enter()
                request.run(self._application, self._probe)
            finally:
                with lock:
                    left[0] -= 1
                    if not left[0]:
                        os.write(done[1], b".")

        for each in requests:
            start_new_thread(serve, (each,))
        os.write(gate[1], b"." * len(requests))
        begin = now()
        deadline = begin + self._order["grace"]
        look = begin + LOOK_SECONDS
        if self._order["runs"]:
            look = deadline  # they wait for their turns, too
        while now() < deadline:
            # To look more often than somebody has to be told would only disturb the threads.
            pause = max(0.0, min(look, deadline) - now()) if self._schedule is None else TICK_SECONDS
            if select.select([done[0]], [], [], pause)[0]:
                return None
            if self._schedule is not None:
                self._schedule.tick()
            if look <= now() < deadline:
                if stands_still("self", lambda: select.select([done[0]], [], [], LOOK_WATCH_SECONDS)):
                    stacks = self._tell()
                    if any(each["for_good"] for each in stacks):
                        return stacks
                look += 2 * (look - begin)
        return None

    def _request(self, order):
        return RequestThread(order, self._order["max_body"], self._order["grace"])

    def _tell(self):
        return json.loads(self._tell_stacks("").decode("ascii"))

    def run(self):
        requests = [self._request(each) for each in self._order["requests"]]
        plan = self._order.get("plan")
        recording = self._probe.follow(os.path.join(self._directory, "events"))
        if plan:
            plan = dict(plan, seed=self._order["seed"], exact=1)
            self._schedule = load(self._directory, "order")["install"](self._order["runs"])
            self._probe.disturb = load(self._directory, "perturb")["install"](plan, "", self._schedule)
        proof = None
        if self._order["together"]:
            proof = self._stampede(requests)
        else:
            for each in requests:
                each.run(self._application, self._probe)
        done = {"recording": recording, "idle": None, "stacks": [], "states": None, "order": None}
        if self._schedule is not None:
            done["order"] = self._schedule.record()
        follow_up = []
        if any(each.answer["last_byte"] is None for each in requests):
            done["idle"] = bool(proof) or stands_still("self")
            done["stacks"] = proof or self._tell()
        else:
            follow_up = [self._request(each) for each in self._order["follow_up"]]
            for each in follow_up:
                each.run(self._application, self._probe)
            told = load(self._directory, "state")["tell"](self._order["invariant"])
            done["states"] = json.loads(told.decode("ascii"))
        done["answers"] = [each.answer for each in requests]
        done["follow_up"] = [each.answer for each in follow_up]
        return done


def mark():
    """Mark this process, and so what it starts; see harness/hosting/process_tree.py."""
    if resource is not None:
        try:
            resource.setrlimit(MARK, (os.getpid(), resource.getrlimit(MARK)[1]))
        except Exception:
            pass


def trial(order, child):
    """Fork, run `child`, and bring home what came of it; one that ends otherwise brings {"died": how}, and one that has
    to be ended {"stuck": true}, as where one thread holds the interpreter lock for good."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.close(ours)
            mark()
            report = json.dumps(child.run()).encode("utf-8")
            while report:
                report = report[os.write(theirs, report) :]
        finally:
            os._exit(0)
    os.close(theirs)
    pieces = []
    turns = (1 if order["together"] else len(order["requests"])) + len(order["follow_up"])
    deadline = now() + order["grace"] * turns + order["telling"]
    while select.select([ours], [], [], max(0.0, deadline - now()))[0]:
        pieces.append(os.read(ours, 1 << 20))
        if not pieces[-1]:
            break
    else:
        idle = stands_still(pid)
        os.kill(pid, signal.SIGKILL)
        pieces = [json.dumps({"stuck": True, "pid": pid, "idle": idle}).encode("ascii")]
    os.close(ours)
    _, status = os.waitpid(pid, 0)
    return b"".join(pieces) or json.dumps({"died": status, "pid": pid}).encode("ascii")


def main(directory, path):
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what the site prints is no answer of ours
    fake = sys.modules["mod_wsgi"] = types.ModuleType("mod_wsgi")
    fake.subscribe_events = lambda callback: None
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [each for each in sys.path if os.path.abspath(each or ".") != here]  # it is none of the site's
    probe, _ = load(directory, "probe")["install"](os.path.join(directory, "events"))
    probe.load_witness = lambda: load(directory, "witness")["install"]
    try:
        application = import_script(path).application
        found = shared()
        ready = {"ready": True, "shared": found}
    except Exception as error:
        ready = {"ready": False, "error": "%s: %s" % (type(error).__name__, error)}
    out.write(json.dumps(ready).encode("ascii") + b"\n")
    out.flush()
    if not ready["ready"] or found:
        return
    # Here, because a child that hangs may hold Python 2's one import lock. So may it that of a codec: see listener.py.
    stacks = load(directory, "stacks")
    json.dumps({u"": [u"\xe9"]}).encode("utf-8").decode("ascii")
    if hasattr(gc, "freeze"):
        gc.freeze()  # a collection in a child would write to, and so copy, all that it shares with us
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        out.write(trial(order, Child(directory, stacks["tell"], application, probe, order)) + b"\n")
        out.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
