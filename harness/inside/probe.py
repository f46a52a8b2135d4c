"""Runs inside the server process and records what it initialises, per thread, and when.

boot.wsgi, a script of its own that mod_wsgi loads when an interpreter starts (WSGIImportScript), runs this
before the site's script. It wraps functions after the module that defines them has been executed; it never imports
Django, changes sys.path, starts a thread or raises into the site. Python 2.7 and 3.x, standard library only.

Events go to a memory-mapped file, a piece of it for each thread: writing one takes no system call, no lock
and does not release the GIL, so it does not reschedule the threads it watches, and what was written is
still there when the process is killed. One JSON array a line:

    [time, thread, "boot",  {...}]
    [time, thread, "begin", span, kind, name, caller, ...]      callers: "file:line function", the nearest first
    [time, thread, "end",   span, failed, nested]
    [time, thread, "error", request, "Type: message", traceback]
    [time, thread, "witness", request, {...}]       of the first request that fails, before its "error": see witness.py
    [time, thread, "again", module]
    [time, thread, "disturbed", strategy, seed, delays, files]      at the end of a request: see perturb.py
"""

import itertools
import mmap
import os
import sys
import time

try:
    from _thread import get_ident
except ImportError:
    from thread import get_ident

PY2 = sys.version_info[0] == 2
STRINGS = (str, unicode) if PY2 else (str,)  # noqa: F821
CHUNK = 65536  # bytes of one thread's piece; the reader uses the same figure
CHUNKS = 128  # the file is sparse: only what is written takes memory
LOST = 12  # bytes of the count of lost events, at the end of the file
CALLERS = 3  # frames that are told of who asked for a piece of work
OURS = globals()
now = getattr(time, "monotonic", time.time)


def quote(text):
    """A JSON string. Without the json module: importing it here would hide a race in its first import."""
    if isinstance(text, bytes) and not PY2:
        text = text.decode("latin-1")
    elif not isinstance(text, STRINGS):
        text = "%s" % (text,)
    if repr(text) == "'" + text + "'" and '"' not in text:  # nothing to escape, on Python 2 no unicode either
        try:
            text.encode("ascii")
            return '"' + text + '"'
        except UnicodeError:
            pass
    out = []
    for char in text:
        code = ord(char)
        if char in '"\\':
            out.append("\\" + char)
        elif 32 <= code < 127:
            out.append(char)
        elif 0xD800 <= code < 0xE000 and not PY2:  # half a pair is no text
            out.append("\\ufffd")
        elif code < 0x10000:
            out.append("\\u%04x" % code)
        else:  # a surrogate pair, as JSON wants it
            code -= 0x10000
            out.append("\\u%04x\\u%04x" % (0xD800 | code >> 10, 0xDC00 | code & 0x3FF))
    return '"' + "".join(out) + '"'


def message(exc_info):
    """`Type: message` of an exception, whatever its message is made of."""
    name = exc_info[0].__name__
    for attempt in (lambda: u"%s" % (exc_info[1],), lambda: str(exc_info[1]), lambda: repr(exc_info[1])):
        try:
            return name + ": " + attempt()
        except Exception:
            pass
    return name + ": (a message that cannot be told)"


def callers(frame):
    """Who asked for a piece of work: the nearest frames that are neither ours nor the import system's, as JSON."""
    found = ""
    left = CALLERS
    while frame is not None and left:
        code = frame.f_code
        if frame.f_globals is not OURS and not code.co_filename.startswith("<frozen"):
            found += "," + quote("%s:%d %s" % (code.co_filename, frame.f_lineno or 0, code.co_name))
            left -= 1
        frame = frame.f_back
    return found


class Recorder(object):
    """Appends lines to the calling thread's pieces of a memory-mapped file."""

    def __init__(self, path):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        os.ftruncate(descriptor, CHUNK * CHUNKS)
        self._memory = mmap.mmap(descriptor, CHUNK * CHUNKS)
        os.close(descriptor)
        self._chunks = itertools.count()  # next() is atomic under the GIL and thread-safe without it
        self._places = {}  # thread -> [next byte, end]
        self._lost = 0

    def write(self, kind, rest):
        thread = get_ident()
        line = ("[%.6f,%d,%s%s]\n" % (now(), thread, quote(kind), rest)).encode("ascii")
        place = self._places.get(thread)
        if place is None or place[0] + len(line) >= place[1]:  # a zero byte always follows the last line
            chunk = CHUNKS if len(line) >= CHUNK else next(self._chunks)
            if chunk >= CHUNKS - 1:
                return self._lose()
            place = self._places[thread] = [chunk * CHUNK, (chunk + 1) * CHUNK]
        begin = place[0]
        self._memory[begin : begin + len(line)] = line
        place[0] = begin + len(line)
        return None

    def _lose(self):
        """The last bytes of the last piece, which no thread gets, say how many events were lost."""
        self._lost += 1
        self._memory[CHUNK * CHUNKS - LOST:] = ("%%%dd" % LOST % self._lost).encode("ascii")


class Probe(object):
    """Begins and ends spans, counts requests, and adds the proof to each response."""

    def __init__(self):
        self._recorder = None
        self._process = ""  # "pid:start"
        self._spans = itertools.count(1)
        self._counter = itertools.count(1)
        self._open_requests = {}  # thread -> (span, name)
        self._raised = set()  # threads whose request has raised into the server
        self._importing = {}  # thread -> [depth, nested]
        self._executed = set()
        self.disturb = None  # what perturb.py made, where threads are to be disturbed
        self.load_witness = None  # loads witness.py, for the first failure of this process

    def follow(self, directory):
        """Record this process (after a fork, the child) from here on, into a file of its own, which is returned."""
        with open("/proc/self/stat") as stat:
            start = stat.read().rpartition(")")[2].split()[19]
        self._process = "%d:%s" % (os.getpid(), start)
        recording = os.path.join(directory, "%d-%s" % (os.getpid(), start))
        self._recorder = Recorder(recording)
        self._recorder.write(
            "boot",
            ',{"python":%s,"monotonic":%d,"wall":%.6f}'
            % (quote(sys.version.split()[0]), hasattr(time, "monotonic"), time.time()),
        )
        return recording

    # -- spans ---------------------------------------------------------------------------------------

    def begin(self, kind, name):
        span = next(self._spans)
        by = callers(sys._getframe(1)) if kind not in ("request", "script") else ""
        self._recorder.write("begin", ",%d,%s,%s%s" % (span, quote(kind), quote(name), by))
        if self.disturb is not None:
            self.disturb.point()
        return span

    def end(self, span, failed=False, nested=0):
        if self.disturb is not None:
            self.disturb.point()
        self._recorder.write("end", ",%d,%d,%d" % (span, failed, nested))

    def spanned(self, function, kind, name=None, skip=None):
        """`function`, recorded as a span; `skip(args)` tells a call that does no work."""

        def wrapper(*args, **kwargs):
            try:
                idle = skip is not None and skip(args)
                span = None if idle else self.begin(kind, name(args) if name else "")
            except Exception:
                span = None
            if span is None:
                return function(*args, **kwargs)
            try:
                result = function(*args, **kwargs)
            except BaseException:
                self.end(span, failed=True)
                raise
            self.end(span)
            return result

        for attribute in ("__name__", "__doc__", "__module__"):
            try:
                setattr(wrapper, attribute, getattr(function, attribute))
            except (AttributeError, TypeError):
                pass
        return wrapper

    # -- module imports ------------------------------------------------------------------------------

    def module_begin(self, name, executes=True):
        """A thread starts to execute a module. Only the outermost gets a span; it counts the others.

        `executes` is false where it may yet turn out that another thread is doing it.
        """
        thread = get_ident()
        state = self._importing.get(thread)
        if state is None:
            state = self._importing[thread] = [0, 0, 0]
        state[0] += 1
        if state[0] == 1:
            state[1], state[2] = self.begin("import", name), 0
        else:
            state[2] += 1
            if self.disturb is not None:
                self.disturb.point()
        if executes and name in self._executed:
            self._recorder.write("again", "," + quote(name))
        if executes:
            self._executed.add(name)

    def module_end(self, failed):
        if self.disturb is not None:
            self.disturb.executed()
        state = self._importing[get_ident()]
        state[0] -= 1
        if state[0] == 0:
            self.end(state[1], failed, state[2])

    def is_busy(self):
        """Is a request in the process?"""
        return bool(self._open_requests)

    # -- requests ------------------------------------------------------------------------------------

    def on_event(self, name, **event):
        """Subscribed to mod_wsgi's events."""
        try:
            if name == "request_started":
                return {"application_object": self._request_started(**event)}
            if name == "request_finished":
                self._request_finished()
            elif name == "request_exception":
                if get_ident() in self._open_requests:
                    self._raised.add(get_ident())
                self.error(event.get("exception_info"))
        except Exception:
            pass
        return None

    def _request_started(self, request_environ, application_object, **_):
        thread = get_ident()
        count = next(self._counter)
        name = request_environ.get("HTTP_X_HARNESS_REQUEST", "")
        self._open_requests[thread] = (self.begin("request", name), name)
        proof = [("X-Harness-Process", self._process), ("X-Harness-Count", str(count))]

        def application(environ, start_response):
            def proving_start_response(status, headers, *exc_info):
                return start_response(status, list(headers) + proof, *exc_info)

            if self.disturb is None:
                return application_object(environ, proving_start_response)
            # Here and not in the callbacks: Python 3.11 that begins to trace in one of them never comes back.
            self.disturb.request_begins(name)
            try:
                return application_object(environ, proving_start_response)
            finally:
                self._recorder.write("disturbed", self.disturb.request_ends())

        return application

    def _request_finished(self):
        opened = self._open_requests.pop(get_ident(), None)
        failed = get_ident() in self._raised
        self._raised.discard(get_ident())
        if opened:
            self.end(opened[0], failed)

    def _format(self, exc_info):
        state = self._importing.setdefault(get_ident(), [0, 0, 0])
        state[0] += 1  # what formatting imports is no work of the site's
        try:
            import traceback  # not before it is needed: see quote()

            return traceback.format_exception(*exc_info)
        finally:
            state[0] -= 1

    def _testify(self, exc_info, request):
        """What is seen at the first failure of this process."""
        load, self.load_witness = self.load_witness, None
        if load is None:
            return
        state = self._importing.setdefault(get_ident(), [0, 0, 0])
        state[0] += 1  # what our program imports is no work of the site's
        try:
            seen = load()(exc_info, quote, OURS)
            self._recorder.write("witness", ",%s,%s" % (quote(request), seen))
        except Exception:
            pass
        finally:
            state[0] -= 1

    def error(self, exc_info):
        """An exception in a request, or in the script's import."""
        try:
            if not exc_info or exc_info[0] is None:
                return
            opened = self._open_requests.get(get_ident())
            if opened:
                self._testify(exc_info, opened[1])
            lines = self._format(exc_info)
            self._recorder.write(
                "error",
                ",%s,%s,%s"
                % (
                    quote(opened[1] if opened else ""),
                    quote(message(exc_info)),
                    quote("".join(lines)[-6000:]),
                ),
            )
        except Exception:
            pass


# -- what to wrap, and in which module it is defined -----------------------------------------------------
# Each function gets (module, probe); a Django that lacks the name is passed over.


def _wrap(owner, attribute, probe, kind, name=None, skip=None):
    plain = owner.__dict__.get(attribute)
    if plain is not None:
        setattr(owner, attribute, probe.spanned(plain, kind, name, skip))


def _settings(module, probe):
    for attribute in ("_setup", "_import_settings"):  # Django 1.2 and later; 1.0 and 1.1
        _wrap(
            module.LazySettings, attribute, probe, "settings", lambda args: os.environ.get("DJANGO_SETTINGS_MODULE", "")
        )


def _apps(module, probe):
    _wrap(module.Apps, "populate", probe, "app-registry", skip=lambda args: args[0].ready)


def _app_cache(module, probe):
    _wrap(module.AppCache, "_populate", probe, "app-registry", skip=lambda args: args[0].loaded)


def _handler(module, probe):
    _wrap(module.BaseHandler, "load_middleware", probe, "middleware")
    plain = module.BaseHandler.__dict__.get("handle_uncaught_exception")
    if plain is not None:  # Django 1.x: a method

        def method(self, request, resolver, exc_info):
            probe.error(exc_info)
            return plain(self, request, resolver, exc_info)

        module.BaseHandler.handle_uncaught_exception = method


def _handler_exception(module, probe):
    plain = module.handle_uncaught_exception

    def function(request, resolver, exc_info):
        probe.error(exc_info)
        return plain(request, resolver, exc_info)

    module.handle_uncaught_exception = function


def _urlconf_name(args):
    name = args[0].urlconf_name
    return getattr(name, "__name__", None) or (name if isinstance(name, STRINGS) else "include(...)")


def _resolver(module, probe):
    owners = [getattr(module, name) for name in ("URLResolver", "RegexURLResolver") if hasattr(module, name)]
    if not owners:
        raise AttributeError("no resolver yet")
    for owner in owners:
        _wrap(owner, "_populate", probe, "resolver", _urlconf_name)
        lazy = owner.__dict__.get("urlconf_module")
        if hasattr(lazy, "func"):  # a cached_property
            lazy.func = probe.spanned(lazy.func, "urlconf", _urlconf_name)


def _engine(module, probe):
    _wrap(module.Engine, "__init__", probe, "template-engine")


def _catalogue_name(args):
    source = args[1] if len(args) > 1 else ""  # a language; before Django 1.8 the file of a catalogue
    return getattr(source, "name", source)


def _translation(module, probe):
    if hasattr(module, "DjangoTranslation") and "__init__" in module.DjangoTranslation.__dict__:
        _wrap(module.DjangoTranslation, "__init__", probe, "catalogue", _catalogue_name)
    else:
        module.translation = probe.spanned(
            module.translation, "catalogue", lambda args: args[0], skip=lambda args: args[0] in module._translations
        )


PATCHES = {
    "django.conf": _settings,
    "django.apps.registry": _apps,
    "django.db.models.loading": _app_cache,
    "django.core.handlers.base": _handler,
    "django.core.handlers.exception": _handler_exception,
    "django.urls.resolvers": _resolver,
    "django.core.urlresolvers": _resolver,
    "django.template.engine": _engine,
    "django.utils.translation.trans_real": _translation,
}


def patch(name, module, probe):
    """True if it could be done: not where the module is another one, or is still being executed."""
    try:
        PATCHES[name](module, probe)
        return True
    except Exception:
        return False


def _is_script(namespace):
    """Is this the namespace of a WSGI script, as mod_wsgi names its modules?"""
    return str(namespace.get("__name__", "")).startswith("_mod_wsgi_")


def watch_imports(probe):
    """Python 3: modules report when they are executed, and the script's first import statement is seen."""
    import builtins
    from importlib.machinery import ExtensionFileLoader, SourceFileLoader, SourcelessFileLoader

    def watched(exec_module):
        def execute(self, module):
            name = module.__name__
            try:
                probe.module_begin(name)
            except Exception:
                exec_module(self, module)
                return
            try:
                exec_module(self, module)
            except BaseException:
                probe.module_end(failed=True)
                raise
            if name in PATCHES:  # before the module is anybody else's: its import lock is still held
                patch(name, module, probe)
            probe.module_end(failed=False)

        return execute

    for loader in (SourceFileLoader, SourcelessFileLoader, ExtensionFileLoader):
        loader.exec_module = watched(loader.exec_module)

    plain = builtins.__import__

    def first_import(name, globals=None, locals=None, fromlist=(), level=0):
        if globals is not None and builtins.__import__ is first_import and _is_script(globals):
            builtins.__import__ = plain
            probe.begin("script", str(globals.get("__file__", "")))
        return plain(name, globals, locals, fromlist, level)

    builtins.__import__ = first_import


def _named(name, namespace, level):
    """The modules that an import statement of Python 2 may mean, the likeliest first."""
    package = namespace.get("__name__") or ""
    if "__path__" not in namespace:
        package = package.rpartition(".")[0]
    if level > 0:
        for _ in range(level - 1):
            package = package.rpartition(".")[0]
        return [package + "." + name if name else package]
    return [package + "." + name, name] if level and package else [name]


def _missing(names, fromlist):
    """The module that this statement is yet to execute; None where nothing is left."""
    for name in names:
        module = sys.modules.get(name)
        if module is not None:
            for each in fromlist or ():
                if each != "*" and not hasattr(module, each) and (name + "." + each) not in sys.modules:
                    return name + "." + each
            return None
    return names[-1]


def watch_imports_2(probe):
    """Python 2: there is no loader to wrap, so import statements are watched."""
    import __builtin__

    plain = __builtin__.__import__
    waiting = dict(PATCHES)
    script = []

    def watching_import(name, globals=None, locals=None, fromlist=None, level=-1):
        namespace = globals or {}
        if not script and _is_script(namespace):
            script.append(probe.begin("script", str(namespace.get("__file__", ""))))
        names = _named(name, namespace, level)
        missing = _missing(names, fromlist)
        if missing is None:
            return plain(name, globals, locals, fromlist, level)
        probe.module_begin(missing, executes=False)  # only a statement so far
        try:
            result = plain(name, globals, locals, fromlist, level)
        except BaseException:
            probe.module_end(failed=True)
            raise
        for wanted in list(waiting):
            module = sys.modules.get(wanted)
            # It may still be half executed, by the very import that got us here: then later.
            if module is not None and wanted in waiting and patch(wanted, module, probe):
                waiting.pop(wanted, None)
        probe.module_end(failed=False)
        return result

    __builtin__.__import__ = watching_import


def install(directory):
    """Start recording into `directory`/PID-START, and subscribe to mod_wsgi's events: the probe, and that path."""
    import mod_wsgi

    probe = Probe()
    recording = probe.follow(directory)
    (watch_imports_2 if PY2 else watch_imports)(probe)
    mod_wsgi.subscribe_events(probe.on_event)
    return probe, recording
